"""Rules for methods: batches and steps that divide evenly, and answers that differ."""

from __future__ import annotations

import math
from collections.abc import Iterator

from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.data_given import GivenSpec
from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.methods import (
    BcoMethodSpec,
    KtoMethodSpec,
    MethodSpec,
    OnlineMethodBase,
    RoundsBase,
)
from paretoflow.spec.positions import Fault
from paretoflow.spec.shape import KeyPath


def _groups(draft: Draft) -> Iterator[Fault]:
    method = draft.method
    if isinstance(method, OnlineMethodBase) and method.batch_size % method.generations:
        group = method.generations
        what = f"got batch_size {method.batch_size}; allowed: a multiple of generations, {group}"
        above = group * (method.batch_size // group + 1)
        yield Fault(("method", "batch_size"), what, f"write `batch_size: {above}`")


def _passes(draft: Draft) -> Iterator[Fault]:
    method = draft.method
    if method is None:
        return
    size, parts = method.batch_size, method.gradient_accumulation
    if size % parts:
        what = f"got gradient_accumulation {parts}; allowed: a divisor of batch_size, {size}"
        near = max(n for n in range(1, min(parts, size) + 1) if size % n == 0)
        path: KeyPath = ("method", "gradient_accumulation")
        yield Fault(path, what, f"write `gradient_accumulation: {near}`")
    elif draft.engine is not None and size % (parts * draft.engine.resources.ranks):
        yield _rank_share(method, draft.engine.resources.ranks)


def _rank_share(method: MethodSpec, ranks: int) -> Fault:
    size, parts = method.batch_size, method.gradient_accumulation
    passes = f" in {parts} passes each" if parts > 1 else ""
    what = f"got batch_size {size} for {ranks} ranks{passes}; allowed: a multiple of "
    what += f"{parts * ranks}"
    group = method.generations if isinstance(method, OnlineMethodBase) else 1
    share = math.lcm(parts * ranks, group)
    hint = f"write `batch_size: {share * (size // share + 1)}`, or change the ranks"
    return Fault(("method", "batch_size"), what, hint)


def _checkpoints(draft: Draft) -> Iterator[Fault]:
    method = draft.method
    if method is None or method.checkpoint_every is None:
        return
    if method.checkpoint_every > method.steps:
        what = f"got {method.checkpoint_every}; allowed: at most the run's steps, {method.steps}"
        yield Fault(
            ("method", "checkpoint_every"), what, "remove it to evaluate only the last step"
        )


def _rounds(draft: Draft) -> Iterator[Fault]:
    method = draft.method
    if isinstance(method, RoundsBase) and method.opening_steps < 1:
        got = f"got {method.rounds} rounds of {method.steps_of_round} steps"
        what = (
            f"{got}; allowed: fewer than steps, {method.steps}, since the base's answers are first"
        )
        yield Fault(("method", "rounds"), what, "lower rounds or round_steps, or raise steps")


def _temperature(draft: Draft) -> Iterator[Fault]:
    """Yield the fault of a method that compares answers to one prompt that are all equal."""
    method = draft.method
    if method is None or draft.model is None or draft.model.generation.temperature > 0:
        return
    path: KeyPath = ("model", "generation", "temperature")
    alike = "at temperature 0 all answers to a prompt are the same"
    hint = "1.0 samples the model as it is"
    given = isinstance(draft.data, GivenSpec) and draft.data.sampled == 0
    if given and not isinstance(method, RoundsBase | OnlineMethodBase):
        return  # answers of the base are only evaluated
    if CAPABILITIES[method.type].data in ("pairs", "lists"):
        yield Fault(path, f"{alike}, so there are no pairs", hint)
    elif isinstance(method, RoundsBase | OnlineMethodBase):
        yield Fault(path, f"{alike}: there is nothing to choose", hint)
    elif isinstance(method, BcoMethodSpec | KtoMethodSpec) and method.standardise != "global":
        yield Fault(path, f"{alike}: none is better than another", hint)


def _pairs(draft: Draft) -> Iterator[Fault]:
    wanted: int | None = getattr(draft.method, "pairs_per_prompt", None)
    if wanted is None or draft.data is None:
        return
    if isinstance(draft.data, GivenSpec) and draft.data.sampled == 0:
        return  # the feedback decides their number
    most = draft.data.candidates * (draft.data.candidates - 1) // 2
    if wanted > most:
        what = f"got {wanted}; allowed: at most {most}, all pairs of data.candidates"
        yield Fault(
            ("method", "pairs_per_prompt"), what, "raise data.candidates, or take fewer pairs"
        )


RULES: tuple[Rule, ...] = (
    _groups, _passes, _checkpoints, _rounds, _temperature, _pairs,
)  # fmt: skip
