"""Rules for the engine of generation."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.models import GenerationSpec
from paretoflow.spec.objectives import SystemObjectiveSpec
from paretoflow.spec.positions import Fault
from paretoflow.spec.served import HOTTEST, NOT_SERVED, RANKS, largest_lora, rank_of, server_rank
from paretoflow.spec.shape import KeyPath

_PATH: KeyPath = ("model", "generation")
_HF = "set model.generation.engine to hf"
_MEASURED = ("latency", "tokens_per_s", "memory")
_OURS = frozenset(
    ("model", "served_model_name", "dtype", "revision", "trust_remote_code", "tokenizer", "host",
     "port", "uds", "api_key", "enable_lora", "max_lora_rank", "lora_modules", "chat_template",
     "generation_config", "logprobs_mode")
)  # fmt: skip
"""Options of the server that the sweep sets itself, or on which the answers' form depends."""


def _generation(draft: Draft) -> GenerationSpec | None:
    return draft.model.generation if draft.model is not None else None


def _keys(draft: Draft) -> Iterator[Fault]:
    """Find keys of the other engine, and of a server that the sweep does not start."""
    gen = _generation(draft)
    if gen is None:
        return
    started = [key for key in ("command", "options") if getattr(gen, key)]
    named = [key for key in ("api_key_env", "adapter_folder") if getattr(gen, key)]
    if gen.engine == "hf":
        for key in [*started, *named, *(["url"] if gen.url else [])]:
            what = f"got {key} with engine: hf; allowed: with engine: vllm"
            yield Fault((*_PATH, key), what, "set engine: vllm, or remove it")
    elif gen.url:
        for key in started:
            what = f"got {key} beside url; allowed: only where the sweep starts the server"
            yield Fault((*_PATH, key), what, "remove one of the two")
    elif gen.api_key_env:
        what = "got api_key_env without url; allowed: for a server that runs already"
        yield Fault((*_PATH, "api_key_env"), what, "remove it: the sweep's own server has its own")
    for key in gen.options:
        if key in _OURS or not key.replace("_", "a").isalnum():
            what = f"got {key!r}; allowed: options of `vllm serve` that the sweep does not set"
            hint = "write it with underscores, or remove it: model, adapters and address are set"
            yield Fault((*_PATH, "options", key), what, hint, at_key=True, code="spec-not-allowed")


def _served(draft: Draft) -> Iterator[Fault]:
    """Find parts of a sweep that vLLM does not serve as they are trained."""
    gen, method, model = _generation(draft), draft.method, draft.model
    if gen is None or model is None or gen.engine == "hf":
        return
    if gen.temperature > HOTTEST:
        what = f"got temperature {gen.temperature:g} with engine: vllm; allowed: up to {HOTTEST:g}"
        yield Fault((*_PATH, "temperature"), what, f"lower it, or {_HF}", code="spec-not-allowed")
    if method is not None and method.type in NOT_SERVED:
        what = f"got vllm with {method.type}, whose checkpoints are more than LoRA factors"
        yield Fault((*_PATH, "engine"), what, _HF)
    if method is not None:
        rank = rank_of(largest_lora(method, model, draft.search))
        if server_rank(rank) is None:
            what = f"got adapters of rank {rank}; vLLM serves up to {RANKS[-1]}"
            yield Fault(("model", "lora", "rank"), what, f"lower it, or {_HF}")


def _alike(draft: Draft) -> Iterator[Fault]:
    """Find parts of a sweep whose answers would differ from the worker's own."""
    gen, model = _generation(draft), draft.model
    if gen is None or model is None or gen.engine == "hf":
        return
    if getattr(model, "adapter", None) and not gen.url:
        what = "got model.adapter with a server of the sweep's own, which serves the plain base"
        hint = "write the merged base to a folder and name that in model.path"
        yield Fault(("model", "adapter"), what, hint)
    for key in ("dora", "modules_to_save"):
        if getattr(model.lora, key):
            what = f"got {key} with engine: vllm, which does not serve it; allowed: plain LoRA"
            yield Fault(("model", "lora", key), what, f"remove it, or {_HF}")
    for index, objective in draft.objectives:
        if isinstance(objective, SystemObjectiveSpec) and objective.measure in _MEASURED:
            what = "got a system cost with engine: vllm; it is measured where the model answers"
            yield Fault(("objectives", index, "type"), what, f"remove it, or {_HF}")


def _whole(draft: Draft) -> Iterator[Fault]:
    """Find a base in shards: its log-probabilities beside a server's were never tried."""
    gen = _generation(draft)
    if gen is None or gen.engine == "hf" or draft.engine is None:
        return
    if draft.engine.resources.zero == 3:
        what = "got zero 3 with engine: vllm; allowed: up to zero 2"
        yield Fault(("engine", "resources", "zero"), what, f"lower it, or {_HF}")


RULES: tuple[Rule, ...] = (_keys, _served, _alike, _whole)
