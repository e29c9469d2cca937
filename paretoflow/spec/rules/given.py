"""Rules for pairs and ratings: their objectives, and the methods that learn from them.

Feedback is read before any work; these rules find faults that no row can fix.
"""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.capabilities import CAPABILITIES, GIVEN, learns_from
from paretoflow.spec.data_given import (
    GivenSource,
    GivenSpec,
    PairSourceSpec,
    PreferencesDataSpec,
    RatingsDataSpec,
    RatingSourceSpec,
)
from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.methods import ModpoMethodSpec
from paretoflow.spec.objectives import moved_names
from paretoflow.spec.positions import Fault
from paretoflow.spec.shape import KeyPath, nearest

_SOURCES: KeyPath = ("data", "sources")
_WHY = {
    "meet": "cuts the scores of as many answers to every prompt into bins",
    "conditioned": "scores its own samples too, on another scale than people's",
    "online": "samples what it learns from while it trains",
    "program": "is told of the base's own scored answers alone",
    "offline": "needs a score of every answer, and pairs have none",
}


def _objectives(draft: Draft) -> Iterator[Fault]:
    """Find sources with unknown objectives, and objectives without a source."""
    data, names = draft.data, moved_names([o for _, o in draft.objectives])
    if not isinstance(data, PreferencesDataSpec | RatingsDataSpec) or not names:
        return
    spoken: set[str] = set()
    anything = False
    sources: tuple[GivenSource, ...] = data.sources
    for index, source in enumerate(sources):
        said = dict(_spoken(source))
        spoken |= said.keys()
        anything |= not said
        for name, key in said.items():
            if name not in names:
                yield _unknown((*_SOURCES, index, *key), name, names)
        missing = [name for name in names if name not in said]
        if isinstance(source, RatingSourceSpec) and missing:
            what = f"rates no {' and no '.join(missing)}; allowed: a rating for every objective"
            yield Fault((*_SOURCES, index, "ratings"), what, "add its column")
    lacking = [name for name in names if name not in spoken]
    if isinstance(data, PreferencesDataSpec) and lacking and not anything:
        what = f"no source speaks for {' and '.join(f'`{name}`' for name in lacking)}"
        hint = "add a source of its pairs; an objective that is only measured is no objective"
        yield Fault(_SOURCES, what, hint)


def _spoken(source: GivenSource) -> Iterator[tuple[str, KeyPath]]:
    """Yield the objectives that a source names, with their places."""
    if isinstance(source, RatingSourceSpec):
        yield from ((name, ("ratings", name)) for name in source.ratings)
        return
    if source.objective is not None:
        yield source.objective, ("objective",)
    yield from ((name, ("better", name)) for name in source.better)


def _unknown(path: KeyPath, name: str, names: tuple[str, ...]) -> Fault:
    near = nearest(name, names)
    hint = f"did you mean {near!r}?" if near else "name an objective that training moves"
    what = f"got {name!r} for an objective; allowed: {', '.join(names)}"
    return Fault(path, what, hint, at_key=path[-2] in ("better", "ratings"))


def _answers(draft: Draft) -> Iterator[Fault]:
    """Find sources that define answers or preferences twice, or not at all."""
    if not isinstance(draft.data, PreferencesDataSpec | RatingsDataSpec):
        return
    sources: tuple[GivenSource, ...] = draft.data.sources
    for index, source in enumerate(sources):
        place, columns = (*_SOURCES, index), source.columns
        if isinstance(source, PairSourceSpec):
            if source.better and source.objective is not None:
                what = "got objective and better, which each say whom the pairs speak for"
                yield Fault((*place, "objective"), what, "keep one")
            if bool(source.better) != (source.columns.answers is not None):
                what = "columns.answers and better go together: two answers, and which is better"
                yield Fault(place, what, "give both, or name chosen and rejected in columns")
        elif (source.columns.completion is None) == (source.columns.completions is None):
            what = "allowed: one of columns.completion, an answer a row, and columns.completions"
            yield Fault((*place, "columns"), what, "name the column that holds the answers")
        turns = columns.messages is not None or columns.dialogue is not None
        first = sources[0].columns
        if turns != (first.messages is not None or first.dialogue is not None):
            what = "asks in turns where the first source does not, or the other way round"
            hint = "a base is asked in one way: give all sources messages or dialogue, or none"
            yield Fault((*place, "columns"), what, hint)


def _method(draft: Draft) -> Iterator[Fault]:
    """Find methods that cannot learn from the given feedback."""
    data, method = draft.data, draft.method
    if not isinstance(data, GivenSpec) or method is None or data.type not in GIVEN:
        return
    tag = method.type
    if not learns_from(tag, data.type):
        why = _WHY.get(tag) or _WHY[CAPABILITIES[tag].kind]
        able = ", ".join(t for t in sorted(CAPABILITIES) if learns_from(t, data.type))
        what = f"got {tag} with data of type {data.type}; {tag} {why}"
        yield Fault(("method", "type"), what, f"choose {able}; or data of another type")
    elif (
        isinstance(method, ModpoMethodSpec)
        and isinstance(data, PreferencesDataSpec)
        and method.labels == "soft"
        and "labels" in method.model_fields_set
    ):
        what = "got soft; allowed: hard on pairs, whose labels are people's and no scores"
        yield Fault(("method", "labels"), what, "remove it")


RULES: tuple[Rule, ...] = (_objectives, _answers, _method)
