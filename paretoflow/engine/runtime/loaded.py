"""Loads the base, prompts and scorers of a sweep, which sampling and scoring need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from paretoflow.core.errors import SpecError
from paretoflow.core.inputs import Inputs
from paretoflow.core.protocols import Objective, Parallel
from paretoflow.data.prompts import PromptSets
from paretoflow.engine.runtime.generation import Engine
from paretoflow.engine.runtime.inputs import inputs_of
from paretoflow.engine.runtime.prompts import prompts_of
from paretoflow.lm.adapters import require_adaptable
from paretoflow.lm.base import LanguageModel, device_of, load_base
from paretoflow.lm.samplers import HF, Sampler
from paretoflow.lm.start_adapter import started
from paretoflow.methods.distributed.sharded import loading
from paretoflow.methods.external.command import require_startable
from paretoflow.objectives import build as build_objective
from paretoflow.spec.data import asks_in_turns
from paretoflow.spec.methods import CommandMethodSpec
from paretoflow.spec.models import PretrainedModelSpec
from paretoflow.spec.search import axes_of, fitted
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Root

ALONE = Parallel()


@dataclass(frozen=True)
class Loaded:
    """The base, prompts and scorers of a sweep.

    Args:
        scorers: Scorers of the spec's objectives, in its order.
        inputs: Inputs that their scores depend on.
        sampler: The engine that samples answers.
    """

    lm: LanguageModel
    prompts: PromptSets
    scorers: tuple[Objective, ...]
    inputs: Inputs
    sampler: Sampler = HF


Drawing = Callable[[SweepSpec, LanguageModel], PromptSets]
"""Draws the prompts of a sweep, for its base."""


def loaded(
    spec: SweepSpec,
    threads: int | None = None,
    draw: Drawing = prompts_of,
    root: Root | None = None,
    parallel: Parallel = ALONE,
) -> Loaded:
    """Load the base, draw the prompts and build the scorers of a sweep.

    Args:
        spec: Spec of the sweep.
        threads: CPU threads for torch; None leaves its default.
        draw: Draws the prompts.
        root: The sweep's folder, for scorers that keep what they pay for, and logs of servers.
        parallel: Rank of this process in its worker group, whose first worker samples for all
            of them; at ZeRO 3 it holds its shard of the base.

    Raises:
        UserError: If data, model or objectives cannot be set up.
    """
    engine = Engine(spec, root, first=parallel.rank == 0)
    lm = loaded_base(spec, threads, parallel)
    prompts = draw(spec, lm)
    scorers = scorers_of(spec, lm, root)
    inputs = inputs_of(spec, lm, prompts, scorers)
    sampler, version = engine.sampler(lm, prompts)
    inputs = replace(inputs, versions={**inputs.versions, **version})
    return Loaded(lm, prompts, scorers, inputs, sampler)


def require_trainable(spec: SweepSpec, lm: LanguageModel, parallel: Parallel) -> None:
    """Refuse settings with which no run could train on this machine, before anything is sampled.

    The rules of the spec cannot check them: they depend on the base, and on the worker's machine.

    Raises:
        ModelError: If no adapter fits the base under `model.lora` and the axes of `search`.
        SpecError: If the base is in half precision on a CPU, and several workers or ZeRO train it;
            or the program of `method: {type: command}` is not here.
    """
    if isinstance(spec.method, CommandMethodSpec):
        require_startable(spec.method)
        return
    dtype = str(lm.model.dtype).removeprefix("torch.")
    if lm.device == "cpu" and dtype != "float32" and not parallel.alone:
        raise SpecError(
            f"got a base in {dtype} on the CPU, several ranks or ZeRO; allowed: float32",
            "model.dtype",
            "set model.dtype to float32, or give each rank a GPU",
            code="spec-contradiction",
        )
    axes = [axis for axis in axes_of(spec.search, spec.method) if axis.home == "lora"]
    largest = tuple((axis.name, axis.value(1.0)) for axis in axes)
    lora = fitted(spec.method, spec.model, largest).lora
    require_adaptable(lm, lora, output=spec.method.type == "mah_dpo")


def loaded_base(
    spec: SweepSpec, threads: int | None = None, parallel: Parallel = ALONE
) -> LanguageModel:
    """Load the base of a sweep; it is prompted in chat turns if it has a template and chat data."""
    dtype = getattr(spec.model, "dtype", "float32")
    with loading(parallel, device_of(spec.model), dtype):
        lm = load_base(spec.model, threads=threads)
    if isinstance(spec.model, PretrainedModelSpec) and spec.model.adapter:
        lm = started(lm, Path(spec.model.adapter))
    return replace(lm, chat=bool(lm.tokenizer.chat_template) and asks_in_turns(spec.data))


def scorers_of(
    spec: SweepSpec, lm: LanguageModel, root: Root | None = None
) -> tuple[Objective, ...]:
    """Return the scorers of a sweep's objectives, which count tokens as its base does."""

    def ids(texts: Sequence[str]) -> list[list[int]]:
        encoded: list[list[int]] = lm.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return encoded

    def count(texts: Sequence[str]) -> list[int]:
        return [len(own) for own in ids(texts)]

    return tuple(
        build_objective(o, count_tokens=count, device=lm.device, token_ids=ids, root=root)
        for o in spec.objectives
    )
