"""Rules for `method.trainer`: arguments that TRL has, that act, and that break no promise."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.positions import Fault
from paretoflow.spec.rules.passed_on import Library
from paretoflow.spec.shape import KeyPath
from paretoflow.spec.trainer_arguments import (
    ADAM,
    CONFIG_OF,
    RENAMED,
    SCHEDULE_KEYS,
    SCHEDULES,
    passed_on_by,
    plain_arguments,
    refusals_of,
)

_PLACE: KeyPath = ("method", "trainer")
_CHOICES = ("alpha", "aggregation", "beta", "divergence", "generations", "loss")
"""Keys of some methods alone that refusals name."""


def _named(draft: Draft) -> Iterator[Fault]:
    """Find arguments that are not passed on, and values of the wrong type or range."""
    method = draft.method
    if method is None:
        return
    if method.type not in CONFIG_OF:
        if method.trainer:
            what = f"{method.type} has no trainer of TRL"
            yield Fault(_PLACE, what, "write options of the program into argv", at_key=True)
        return
    lacking = [f"method.{name}" for name in _CHOICES if name not in type(method).model_fields]
    library = Library(
        f"TRL's {CONFIG_OF[method.type]}",
        passed_on_by(method.type),
        refusals_of(method.type),
        lacking,
    )
    yield from library.faults(_PLACE, method.trainer)


def _twice(draft: Draft) -> Iterator[Fault]:
    """Find an argument under both of its names."""
    given = draft.method.trainer if draft.method is not None else {}
    for old, new in RENAMED.items():
        if old in given and new in given:
            what = f"got `{old}` and `{new}`, which are one argument"
            yield Fault((*_PLACE, old), what, f"keep `{new}`", at_key=True)
    switch, options = RENAMED.values()
    plain = plain_arguments(given)
    if options in plain and not plain.get(switch):
        name = next(n for n in given if RENAMED.get(n, n) == options)
        what = f"got `{name}` without `{switch}: true`"
        yield Fault((*_PLACE, name), what, f"add `{switch}: true`", at_key=True)


def _schedule(draft: Draft) -> Iterator[Fault]:
    """Find arguments of the schedule that it does not read, and a warm-up without an end."""
    method = draft.method
    if method is None:
        return
    given = method.trainer
    kind, warmup = given.get("lr_scheduler_type", "linear"), given.get("warmup_steps", 0)
    options = given.get("lr_scheduler_kwargs", {})
    if kind not in SCHEDULES or not isinstance(options, dict):
        return
    for name in options:
        if name in SCHEDULE_KEYS and name not in SCHEDULES[kind]:
            able = ", ".join(SCHEDULES[kind]) or "nothing"
            what = f"got `{name}` for the schedule {kind}; it reads {able}"
            path = (*_PLACE, "lr_scheduler_kwargs", name)
            yield Fault(path, what, "remove it, or choose another schedule", at_key=True)
    if kind == "cosine_with_min_lr" and "min_lr_rate" not in options:
        what = "cosine_with_min_lr needs `lr_scheduler_kwargs: {min_lr_rate: …}`"
        hint = "add the lowest learning rate, as a share of the highest"
        yield Fault((*_PLACE, "lr_scheduler_type"), what, hint)
    if kind == "constant" and warmup:
        what = "got warmup_steps for the schedule constant, which has no warm-up"
        yield Fault((*_PLACE, "warmup_steps"), what, "write `constant_with_warmup`")
    if isinstance(warmup, int | float) and warmup >= max(method.steps, 1) and warmup >= 1:
        what = f"got {warmup:g}; allowed: less than the run's steps, {method.steps}"
        hint = "a number below 1 is a share of the steps"
        yield Fault((*_PLACE, "warmup_steps"), what, hint)


def _optimiser(draft: Draft) -> Iterator[Fault]:
    """Find arguments of AdamW for another optimiser, and optimisers that ZeRO does not shard."""
    given = draft.method.trainer if draft.method is not None else {}
    kind = given.get("optim", "adamw_torch")
    if not isinstance(kind, str) or kind.startswith("adamw"):
        return
    for name in ADAM:
        if name in given:
            what = f"got `{name}` for the optimiser {kind}, which does not read it"
            yield Fault((*_PLACE, name), what, "remove it, or write `optim: adamw_torch`")
    if draft.engine is not None and draft.engine.resources.zero:
        what = f"got {kind} with engine.resources.zero; DeepSpeed shards AdamW alone"
        yield Fault((*_PLACE, "optim"), what, "write `optim: adamw_torch`, or `zero: 0`")


def _recomputed(draft: Draft) -> Iterator[Fault]:
    """Find activation checkpointing at ZeRO 3, which needs a form that does not reach a run."""
    if draft.method is None or draft.engine is None or draft.engine.resources.zero != 3:
        return
    for name in draft.method.trainer:
        if RENAMED.get(name, name) == "activation_checkpointing" and draft.method.trainer[name]:
            what = "got activation checkpointing with ZeRO 3, under which adapters train wrongly"
            yield Fault((*_PLACE, name), what, "write `engine.resources.zero: 2`, or remove this")


def _truncated(draft: Draft) -> Iterator[Fault]:
    """Find the mask of truncated answers where stop texts end answers without a token of theirs."""
    if draft.method is None or draft.model is None or not draft.model.generation.stop:
        return
    if draft.method.trainer.get("mask_truncated_completions") is True:
        what = "TRL takes an answer that model.generation.stop ends for a truncated one"
        yield Fault((*_PLACE, "mask_truncated_completions"), what, "remove one of the two")


RULES: tuple[Rule, ...] = (_named, _twice, _schedule, _optimiser, _recomputed, _truncated)
