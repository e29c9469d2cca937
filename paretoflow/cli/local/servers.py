"""The servers of `engine: vllm`, before anything is spent: executable, key, version, model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePath

from paretoflow.core.errors import ModelError
from paretoflow.lm.served.client import VllmServer
from paretoflow.lm.served.facts import ServerFacts, facts_of, key_of
from paretoflow.spec.methods import MethodSpec, OnlineMethodBase
from paretoflow.spec.models import GenerationSpec, ModelSpec
from paretoflow.spec.positions import Fault
from paretoflow.spec.shape import KeyPath
from paretoflow.spec.sweep import SweepSpec

_PATH: KeyPath = ("model", "generation")


def server_findings(spec: SweepSpec) -> Iterator[Fault | str]:
    """Yield the faults of the servers of a sweep, and what was not checked.

    Servers that run are asked for their version and models, which costs nothing. That they answer
    as the base does, and take its adapters, is tried when a worker starts.
    """
    generation = spec.model.generation
    if generation.engine == "hf":
        return
    if _samples(spec.method):
        yield f"{spec.method.type} samples in training with hf; vllm evaluates its checkpoints"
    if not generation.url:
        yield from _executable(generation)
        return
    try:
        key = key_of(generation)
    except ModelError as error:
        yield Fault((*_PATH, "api_key_env"), error.what, error.hint, code=error.code)
        return
    for url in generation.url:
        try:
            facts = facts_of(VllmServer(url, key))
        except ModelError as error:
            where = "api_key_env" if error.code == "model-server-key" else "url"
            yield Fault((*_PATH, where), f"{url}: {error.what}", error.hint, code=error.code)
            continue
        yield from _fit(url, facts, spec.model)


def _samples(method: MethodSpec) -> bool:
    return isinstance(method, OnlineMethodBase) or method.type in ("ric", "dpa")


def _executable(generation: GenerationSpec) -> Iterator[Fault]:
    asked = generation.command or "vllm"
    if shutil.which(Path(asked).expanduser() if "/" in asked else asked) is None:
        what = f"`{asked}` is no executable on this machine"
        hint = "install vLLM in a virtual environment of its own and name its bin/vllm here"
        key = ("command",) if generation.command else ("engine",)
        yield Fault((*_PATH, *key), what, hint, code="model-server-start")


def _fit(url: str, facts: ServerFacts, model: ModelSpec) -> Iterator[Fault | str]:
    new = model.generation.max_new_tokens
    if new >= facts.window:
        what = f"got {new} new tokens; {url} takes {facts.window} with the prompt"
        hint = "lower it, or start the server with a larger --max-model-len"
        yield Fault((*_PATH, "max_new_tokens"), what, hint, code="model-server")
    own = getattr(model, "path", "")
    if own and PurePath(own).name != PurePath(facts.root).name:
        told = f"{url} serves {facts.root}, and the base is {own}; they are compared at the start"
        yield f"model.generation: {told}"
