"""Rules for objectives: names, ranges and reference values, patterns, system costs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from paretoflow.core.values import Direction
from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.objectives import (
    ImportObjectiveSpec,
    JudgeObjectiveSpec,
    ObjectiveSpec,
    RegexObjectiveSpec,
    SystemObjectiveSpec,
)
from paretoflow.spec.positions import Fault
from paretoflow.spec.shape import KeyPath

WIDEST = 1e100
"""Widest range: its powers stay finite, in hypervolumes and variances."""

_OWN_SETTINGS = {
    *("model", "messages", "n", "stream", "stream_options", "timeout", "tools"),
    *("api_key", "extra_headers", "extra_query"),
}
"""Arguments of a request to a judge that `settings` may not hold."""


def _unique_names(draft: Draft) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for index, objective in draft.objectives:
        if objective.name in first:
            what = f"two objectives are named `{objective.name}`"
            yield Fault(
                ("objectives", index, "name"),
                what,
                "give each its own name",
                code="spec-duplicate-key",
            )
        first.setdefault(objective.name, index)


def _ranges(draft: Draft) -> Iterator[Fault]:
    for index, objective in draft.objectives:
        if objective.range is None:
            continue
        low, high = objective.range
        if low >= high:
            what = f"got a range from {low:g} to {high:g}; allowed: the lower end first"
            hint = f"write `range: [{high:g}, {low:g}]`" if low > high else "give it a width"
            yield Fault(("objectives", index, "range"), what, hint, code="spec-not-allowed")
        elif high - low > WIDEST:
            what = f"got a range from {low:g} to {high:g}; allowed: at most {WIDEST:g} wide"
            hint = "give the scores worth telling apart"
            yield Fault(("objectives", index, "range"), what, hint, code="spec-not-allowed")
        elif objective.ref is not None:
            yield from _reference(index, objective, objective.ref, (low, high))


def _reference(
    index: int, objective: ObjectiveSpec, ref: float, ends: tuple[float, float]
) -> Iterator[Fault]:
    upwards = objective.direction is Direction.MAXIMIZE
    best, worst = (ends[1], ends[0]) if upwards else ends
    if ref >= best if upwards else ref <= best:
        side = "below" if upwards else "above"
        what = (
            f"got the reference value {ref:g}; allowed: {side} {best:g}, the best end of the "
            f"range, because `{objective.name}` is to be {objective.direction.value}d"
        )
        yield Fault(
            ("objectives", index, "ref"),
            what,
            f"the worst end is usual: `ref: {worst:g}`",
            code="spec-not-allowed",
        )


def _regexes(draft: Draft) -> Iterator[Fault]:
    for index, objective in draft.objectives:
        if not isinstance(objective, RegexObjectiveSpec):
            continue
        path: KeyPath = ("objectives", index)
        if (objective.pattern is None) == (objective.keywords is None):
            got = "neither" if objective.pattern is None else "both"
            what = f"got {got} of `pattern` and `keywords`; allowed: exactly one"
            yield Fault(path, what, "keywords are whole words, a pattern is a regular expression")
        words = [word.strip() for word in objective.keywords or [""]]
        if objective.keywords is not None and not all(words):
            what = "got an empty list or word; allowed: at least one word"
            yield Fault(
                (*path, "keywords"), what, "list the words that count", code="spec-not-allowed"
            )
        try:
            re.compile(objective.pattern or "", re.IGNORECASE if objective.ignore_case else 0)
        except (re.error, OverflowError, RecursionError) as error:
            what = f"the regular expression {objective.pattern!r} does not compile: {error}"
            yield Fault(
                (*path, "pattern"),
                what,
                "correct it; put a backslash before a literal ( ) [ ] * + ?",
                code="spec-not-allowed",
            )


def _functions(draft: Draft) -> Iterator[Fault]:
    for index, objective in draft.objectives:
        if not isinstance(objective, ImportObjectiveSpec):
            continue
        if objective.columns and objective.convention == "paretoflow":
            what = "got `columns` with `convention: paretoflow`; allowed: with `convention: trl`"
            hint = "remove it: each `Prompt` has its columns in `extra`"
            yield Fault(("objectives", index, "columns"), what, hint)


def _judges(draft: Draft) -> Iterator[Fault]:
    for index, objective in draft.objectives:
        if not isinstance(objective, JudgeObjectiveSpec):
            continue
        low, high = objective.scale
        if low >= high:
            what = f"got a scale from {low:g} to {high:g}; allowed: the lower end first"
            hint = "write the lowest score that the judge may give, then the highest"
            yield Fault(("objectives", index, "scale"), what, hint, code="spec-not-allowed")
        for name in sorted(_OWN_SETTINGS & set(objective.settings)):
            what = f"got `{name}`; allowed: arguments that have no key of their own here"
            hint = "the request sets it; secrets come from the variable in api_key_env alone"
            path: KeyPath = ("objectives", index, "settings", name)
            yield Fault(path, what, hint, code="spec-not-allowed")


def _system_costs(draft: Draft) -> Iterator[Fault]:
    """Yield faults of system costs: no range, or no other objective that a run could train for."""
    costs = [(i, o) for i, o in draft.objectives if isinstance(o, SystemObjectiveSpec)]
    for index, objective in costs:
        if objective.range is None:
            what = f"`{objective.name}` declares no range, and the base's answers do not tell one"
            hint = f"add `range: [low, high]` in {objective.unit or 'its unit'}, the differences "
            hint += "that matter"
            yield Fault(("objectives", index, "type"), what, hint)
    if len(costs) > 1 and len(costs) == len(draft.objectives):
        what = "got system costs alone, and no training moves them; allowed: beside an objective "
        what += "of the answers"
        yield Fault(("objectives", costs[0][0], "type"), what, "add what the answers are to be")


def undeclared(draft: Draft) -> Iterator[Fault]:
    """Yield objectives without a range, which a simulation cannot calibrate without a base."""
    for index, objective in draft.objectives:
        if objective.range is None:
            what = f"`{objective.name}` declares no range, and a simulation has no base to take it "
            what += "from"
            hint = "add `range: [low, high]` in raw units"
            yield Fault(("objectives", index), what, hint, code="spec-no-range")


RULES: tuple[Rule, ...] = (_unique_names, _ranges, _regexes, _functions, _judges, _system_costs)
