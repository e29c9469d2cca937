"""The memory that a worker needs, estimated from the base's files; faults if it cannot fit.

An estimate may be off, so a sweep is refused only if it exceeds a GPU by more than `ERROR`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from paretoflow.cli.local.models import ModelFolder, base_folder
from paretoflow.cli.local.shapes import cached_folder, shape_of, stored_bytes
from paretoflow.lm.footprint import Footprint, Load, Shape, footprint
from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.data_given import GivenSpec
from paretoflow.spec.methods import CommandMethodSpec, LipoMethodSpec, OnlineMethodBase
from paretoflow.spec.models import PretrainedModelSpec
from paretoflow.spec.objectives import RewardModelObjectiveSpec
from paretoflow.spec.positions import Fault
from paretoflow.spec.sweep import SweepSpec

ERROR = 1.4
"""Factor within which the estimate held on every model that was measured; see `docs/sizing.md`."""
HEAP = 2.0
"""Resident memory of a CPU worker over what is live: freed blocks stay with the allocator."""
PROMPT = 256
"""Tokens of a prompt where `data.max_prompt_tokens` is unset and the data do not say."""
Changes = Callable[[Load], Iterator[tuple[str, Load]]]
"""Yields changes of a spec in words, with the load that they would leave."""
_RECOMPUTED = ("activation_checkpointing", "gradient_checkpointing")
_SHOWN = 3
"""Number of ways that a hint names."""
_LEAST_SEQUENCES = 2
"""Sequences of a pair, the smallest forward pass."""
_FULL_LOGITS = ("ipo_md", "mah_dpo")
"""Methods whose losses keep the logits of every token; others score in pieces."""


@dataclass(frozen=True)
class Memory:
    """Estimated memory of one worker.

    Args:
        parts: Its terms.
        rewards: Bytes of the reward models in it.
        known: Bytes of the GPU's share that the spec gives a worker; None if it does not tell.
        least: Estimated peak in bytes with prompts of one token, where their length is not known.
    """

    shape: Shape
    load: Load
    parts: Footprint
    rewards: float
    known: float | None
    least: float

    @property
    def total(self) -> float:
        """Return the estimated peak of one worker, in bytes."""
        return self.parts.total + self.rewards

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as plain JSON values, in bytes."""
        return {**asdict(self.parts), "rewards": self.rewards, "total": self.total}

    def line(self) -> str:
        """Return the estimate for a person."""
        parts = self.parts
        place = "GPU" if self.load.gpu else "worker, in CPU memory"
        named = {
            "base": parts.sharded,
            "adapter": parts.adapter,
            "training": parts.training,
            "sampling": parts.sampling,
            "reward models": self.rewards,
            "libraries": parts.fixed,
        }
        told = ", ".join(f"{name} {_gb(size)}" for name, size in named.items() if size)
        text = (
            f"memory: about {_gb(self.total)} GB for each {place} ({told}; training and sampling "
            f"take turns), for {self.load.tokens} tokens of prompt and answer; an estimate"
        )
        if self.load.zero == 3:
            text += f"; ZeRO 3 shards the base of {_gb(parts.weights)} GB over the ranks"
        return text


def memory_of(spec: SweepSpec) -> Memory | str:
    """Return the estimate, or why there is none."""
    if isinstance(spec.method, CommandMethodSpec):
        return "memory: not estimated, since a program of your own trains"
    base = _folder(spec)
    if base is None:
        path = getattr(spec.model, "path", "")
        return f"memory: not estimated, since {path}/config.json is not on this machine"
    shape = shape_of(base.folder, base.config, spec.model.lora)
    if shape is None:
        return f"memory: not estimated, since {base.folder}/config.json does not tell the shape"
    load = load_of(spec, base.window)
    resources = spec.engine.resources
    known = resources.gpu_memory_gb and resources.gpu_memory_gb * 1e9 * resources.gpus_per_rank
    parts, rewards = footprint(shape, load), _rewards(spec)
    bounded = getattr(spec.data, "max_prompt_tokens", None) is not None
    shortest = load if bounded else replace(load, tokens=load.answer + 1)
    return Memory(shape, load, parts, rewards, known, footprint(shape, shortest).total + rewards)


def memory_findings(spec: SweepSpec, memory: Memory | str) -> Iterator[Fault | str]:
    """Yield the estimate for the user, or the fault that it cannot fit."""
    if isinstance(memory, str):
        yield memory
        return
    if memory.load.gpu and memory.known is not None and memory.least > ERROR * memory.known:
        what = f"about {_gb(memory.total)} GB are needed; allowed: {_gb(memory.known)} GB a worker"
        hint = advice(memory)
        path = ("engine", "resources", "gpu_memory_gb")
        yield Fault(path, what, hint, code="model-too-large")
        return
    yield memory.line()
    if memory.load.gpu and memory.known is not None and memory.total > memory.known:
        yield f"memory: more than the {_gb(memory.known)} GB of a worker's GPU; {advice(memory)}"
    if not memory.load.gpu:
        yield from _machine(spec, memory)


def load_of(spec: SweepSpec, window: int | None) -> Load:
    """Return what one rank does with the base.

    Args:
        spec: The sweep.
        window: Tokens that the base reads; None for no limit.
    """
    method, resources, generation = spec.method, spec.engine.resources, spec.model.generation
    answer = generation.max_new_tokens
    prompt = getattr(spec.data, "max_prompt_tokens", None) or PROMPT
    if isinstance(spec.data, GivenSpec):
        answer = max(answer, spec.data.max_answer_tokens or 0)
    tokens = min(prompt + answer, window or prompt + answer)
    batch = -(-method.batch_size // (resources.ranks * method.gradient_accumulation))
    kind = CAPABILITIES[method.type].data
    return Load(
        width=_width(spec),
        sequences=batch * _sequences(spec),
        tokens=tokens,
        answer=min(answer, tokens),
        sampled=generation.batch_size,
        ranks=resources.ranks,
        zero=resources.zero,
        offload=resources.offload,
        recomputed=any(bool(method.trainer.get(name)) for name in _RECOMPUTED),
        full_logits=method.type in _FULL_LOGITS,
        referenced=kind in ("pairs", "lists", "scored"),
        gpu=resources.gpus_per_rank > 0,
        whole=method.type == "gradient_dpo",
        shardable=_shardable(spec),
    )


def advice(memory: Memory) -> str:
    """Return the changes that would fit, alone or together; or that none does."""
    alone = [name for name, load in _all_changes(memory.load) if _fits(memory, load)]
    if alone:
        return f"this would fit: {', or '.join(alone[:_SHOWN])}"
    if together := _together(memory, _changes) or _together(memory, _all_changes):
        return f"this would fit: {' and '.join(together)}"
    least = memory.parts.sharded + memory.parts.fixed
    if memory.known is not None and least > memory.known:
        held = "its share of the base" if memory.load.zero == 3 else "the base"
        more = "more ranks, " if memory.load.zero == 3 else ""
        return (
            f"{held} and the libraries take {_gb(least)} GB in every worker: use {more}larger "
            "GPUs, or a smaller base"
        )
    return "use larger GPUs or a smaller base, or lower max_new_tokens and max_prompt_tokens too"


def _together(memory: Memory, changes: Changes) -> list[str]:
    """Return changes that fit together, the one that saves most first; empty if none do."""
    load, made = memory.load, dict[str, str]()
    while not _fits(memory, load):
        others = [(n, to) for n, to in changes(load) if _key(n) not in made]
        if not others:
            return []
        name, load = min(others, key=lambda change: footprint(memory.shape, change[1]).total)
        made[_key(name)] = name
    return list(made.values())


def _key(change: str) -> str:
    return change.split(" ", maxsplit=1)[0]


def _changes(load: Load) -> Iterator[tuple[str, Load]]:
    """Yield changes of a spec, the ones that cost least first."""
    if load.width == 4:
        yield "model.dtype: bfloat16", replace(load, width=2)
    parts = 2
    while load.sequences // parts >= _LEAST_SEQUENCES:
        fewer = -(-load.sequences // parts)
        yield f"method.gradient_accumulation {parts} times as large", replace(load, sequences=fewer)
        parts *= 2
    for size in (load.sampled // 2, load.sampled // 4, load.sampled // 8):
        if size:
            yield f"model.generation.batch_size: {size}", replace(load, sampled=size)
    if not load.recomputed and load.zero < 3:  # the rules refuse both together
        yield "method.trainer.activation_checkpointing: true", replace(load, recomputed=True)
    for ranks in (2, 4, 8):
        more = replace(
            load,
            ranks=load.ranks * ranks,
            sequences=max(-(-load.sequences // ranks), min(load.sequences, _LEAST_SEQUENCES)),
            zero=max(load.zero, 2),
        )
        yield f"engine.resources.ranks: {more.ranks} with zero: {more.zero}", more


def _all_changes(load: Load) -> Iterator[tuple[str, Load]]:
    """Yield also the changes that shard the base, whose layers then travel in every step."""
    yield from _changes(load)
    ranked = [(name, to) for name, to in _changes(load) if to.ranks > load.ranks]
    if load.shardable and not load.recomputed:  # the rules refuse both together
        for _, to in ranked:
            yield f"engine.resources.ranks: {to.ranks} with zero: 3", replace(to, zero=3)


def _fits(memory: Memory, load: Load) -> bool:
    total = footprint(memory.shape, load).total + memory.rewards
    return memory.known is not None and total <= memory.known


def _machine(spec: SweepSpec, memory: Memory) -> Iterator[str]:
    """Yield a warning if the workers of this machine would need more than its memory."""
    workers = spec.engine.worker_groups * spec.engine.resources.ranks
    held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    needed = workers * (memory.parts.fixed + HEAP * (memory.total - memory.parts.fixed))
    if needed > held:
        yield (
            f"memory: {workers} workers may take {_gb(needed)} GB, and this machine has "
            f"{_gb(held)}: lower engine.worker_groups, or raise method.gradient_accumulation"
        )


def _folder(spec: SweepSpec) -> ModelFolder | None:
    base = base_folder(spec.model)
    if base is not None or not isinstance(spec.model, PretrainedModelSpec):
        return base
    cached = cached_folder(spec.model)
    if cached is None:
        return None
    return base_folder(spec.model.model_copy(update={"path": str(cached)}))


def _width(spec: SweepSpec) -> int:
    return 4 if getattr(spec.model, "dtype", "float32") == "float32" else 2


def _sequences(spec: SweepSpec) -> int:
    """Return the sequences of one example."""
    if isinstance(spec.method, LipoMethodSpec):
        return spec.method.list_size
    if isinstance(spec.method, OnlineMethodBase) and spec.method.type != "ipo_md":
        return 1
    return 2 if CAPABILITIES[spec.method.type].data in ("pairs", "prompts") else 1


def _shardable(spec: SweepSpec) -> bool:
    """Return whether the rules allow ZeRO 3, and it would not gather the base whole."""
    lora, method = spec.model.lora, spec.method
    forms = lora.dora or lora.modules_to_save
    able = CAPABILITIES[method.type].distributed == "zero" and method.type != "gradient_dpo"
    return able and not forms


def _rewards(spec: SweepSpec) -> float:
    """Return the bytes of the reward models on this machine; a hub's are not known."""
    folders = {o.path for o in spec.objectives if isinstance(o, RewardModelObjectiveSpec)}
    return float(sum(stored_bytes(Path(folder)) for folder in folders))


def _gb(size: float) -> str:
    return f"{size / 1e9:,.1f}" if size < 1e11 else f"{size / 1e9:,.0f}"
