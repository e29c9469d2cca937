"""Rules for the axes of `search`: each sets a known field, to valid values only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice, product

from pydantic import ValidationError

from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.faults import allowed_by
from paretoflow.spec.methods import MethodSpec
from paretoflow.spec.models import ModelSpec
from paretoflow.spec.nested import innermost
from paretoflow.spec.positions import Fault
from paretoflow.spec.search import (
    DECODING,
    MODULE_RANK,
    RANK,
    AxisSpec,
    Fitted,
    axes_of,
    axis_names,
    fitted,
    home_of,
    is_whole,
)
from paretoflow.spec.shape import KeyPath, nearest

Odd = tuple[str, str, str]
"""Reason for refusing a value, hint, and code of the fault."""
MOST_TRIED = 64
"""Maximum values that are tried between the ends of an integer range: no batch has so many
consecutive divisors."""
MOST_CORNERS = 256
"""Maximum combinations of ends of several integer axes that are tried."""


def search_faults(draft: Draft, rules: Sequence[Rule]) -> Iterator[Fault]:
    """Yield the faults of the axes, alone and with the rest of the spec.

    Args:
        draft: The valid parts.
        rules: Rules for a launch's spec.
    """
    if draft.search is None or draft.method is None or draft.model is None:
        return
    yield from _redrawn(draft, draft.search, draft.method)
    known = {fault for rule in rules for fault in rule(draft)}
    found: list[Fault] = []
    for name, axis in draft.search.items():
        path: KeyPath = ("search", name)
        faults = list(_named(path, name, draft.method) or _shaped(path, axis, draft.method))
        found += faults
        for key, value in () if faults else _tried(name, axis, draft.method):
            odd = list(_odd(name, value, draft.method, draft.model))
            if not odd:
                parts = fitted(draft.method, draft.model, ((name, value),))
                clashing = _clashing(_varied(draft, parts), rules, known)
                odd = [(f"at {value:g} {what}", hint, code) for what, hint, code in clashing]
            if odd:  # report only the first faulty value of an axis
                what, hint, code = odd[0]
                found.append(Fault((*path, *key), what, hint, code=code))
                break
    yield from found or _together(draft, rules, known)


def _together(draft: Draft, rules: Sequence[Rule], known: set[Fault]) -> Iterator[Fault]:
    """Yield the fault of integers that conflict with each other, though each alone is valid."""
    if not draft.search or draft.method is None or draft.model is None:
        return
    axes = [a for a in axes_of(draft.search, draft.method) if a.whole and a.home == "method"]
    ends = [[(axis.name, axis.value(place)) for place in (0.0, 1.0)] for axis in axes]
    for corner in islice(product(*ends) if len(axes) > 1 else (), MOST_CORNERS):
        parts = fitted(draft.method, draft.model, corner)
        for what, hint, code in _clashing(_varied(draft, parts), rules, known):
            told = " and ".join(f"{name} {value:g}" for name, value in corner)
            yield Fault(("search", axes[0].name), f"with {told} {what}", hint, code=code)
            return


def _redrawn(draft: Draft, search: Mapping[str, AxisSpec], method: MethodSpec) -> Iterator[Fault]:
    """Yield the fault of a proposer with `redraw` if there is no axis of decoding."""
    homes = {home_of(name, type(method)) for name in search}
    if draft.proposer is None or "generation" in homes:
        return
    place, proposer = innermost(draft.proposer)
    if getattr(proposer, "redraw", False):
        what = f"got redraw without an axis of decoding; allowed: with {' or '.join(DECODING)}"
        yield Fault((*place, "redraw"), what, "add one to search, or remove this")


def _named(path: KeyPath, name: str, method: MethodSpec) -> list[Fault]:
    if home_of(name, type(method)):
        return []
    allowed = [*axis_names(type(method)), RANK, f"{MODULE_RANK}<module>", *DECODING]
    near = nearest(name, allowed)
    hint = f"did you mean `{near}`?" if near else f"these are what {method.type} can search"
    what = f"unknown axis `{name}`; allowed: {', '.join(dict.fromkeys(allowed))}"
    return [Fault(path, what, hint, at_key=True, code="spec-unknown-key")]


def _shaped(path: KeyPath, axis: AxisSpec, method: MethodSpec) -> Iterator[Fault]:
    ends = [end for end in (axis.low, axis.high) if end is not None]
    values: list[float] = [*ends, *(axis.choices or ())]
    if (axis.choices is None) == (not ends) or len(ends) == 1:
        what = "got " + (", ".join(sorted(axis.model_fields_set)) or "nothing")
        what += "; allowed: low and high, or choices"
        yield Fault(
            path,
            what,
            "write `{low: …, high: …}` or `{choices: [4, 8, 16]}`",
            code="spec-not-allowed",
        )
    elif len(set(values)) < len(values) or (ends and ends[0] > ends[1]):
        what = "got one value twice" if axis.choices else f"got {ends[0]:g} to {ends[1]:g}"
        allowed = "different values" if axis.choices else "a range, the lower end first"
        yield Fault(
            path, f"{what}; allowed: {allowed}", "correct the values", code="spec-not-allowed"
        )
    elif axis.scale == "log" and (axis.choices or ends[0] <= 0):
        what = "got a log scale; allowed: with a range above 0"
        yield Fault((*path, "scale"), what, "remove it, or raise low", code="spec-not-allowed")
    elif is_whole(str(path[1]), type(method)) and any(v != int(v) for v in values):
        odd = next(v for v in values if v != int(v))
        yield Fault(
            path,
            f"got {odd:g}; allowed: whole numbers",
            "round the values",
            code="spec-not-allowed",
        )


def _tried(
    name: str, axis: AxisSpec, method: MethodSpec
) -> list[tuple[tuple[str | int, ...], float | int]]:
    """Return the values to try, each with its place."""
    if axis.choices is not None:
        return [(("choices", index), value) for index, value in enumerate(axis.choices)]
    resolved = axes_of({name: axis}, method)[0]
    low, high = resolved.value(0.0), resolved.value(1.0)
    inside: Sequence[int] = ()
    if resolved.whole:
        inside = range(int(low) + 1, int(high))[:MOST_TRIED]
    return list(chain([(("low",), low), (("high",), high)], (((), v) for v in inside)))


def _odd(name: str, value: float, method: MethodSpec, model: ModelSpec) -> Iterator[Odd]:
    """Yield pydantic's faults of a value, as for the field itself."""
    try:
        fitted(method, model, ((name, value),))
    except ValidationError as error:
        allowed = " or ".join(allowed_by(detail) for detail in error.errors(include_url=False))
        home = home_of(name, type(method))
        place = "method" if home == "method" else f"model.{home}"
        hint = f"it is to be {place}.{name}"
        yield f"got {value:g}; allowed: {allowed}", hint, "spec-not-allowed"


def _clashing(varied: Draft, rules: Sequence[Rule], known: set[Fault]) -> Iterator[Odd]:
    """Yield the other rules' faults of a draft with a value in it."""
    for fault in chain.from_iterable(rule(varied) for rule in rules):
        if fault not in known:
            yield f"it clashes with the rest: {fault.what}", fault.hint, fault.code


def _varied(draft: Draft, parts: Fitted) -> Draft:
    """Return the draft of a launch without decoding, which does not affect training."""
    model = draft.model and draft.model.model_copy(update={"lora": parts.lora})
    return replace(draft, method=parts.method, model=model, search=None)
