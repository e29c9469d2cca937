"""Preference pairs and ratings as sources: prompts, with feedback on their answers.

Prompts are drawn as for every source. Feedback on answers belongs to its prompt, however the prompt
is spelt and whichever file it is in. Neither the order of files nor that of rows changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from paretoflow.core.data_facts import SHOWN, DataFacts
from paretoflow.core.errors import DataError
from paretoflow.core.feedback import Feedback
from paretoflow.core.ids import digest_of
from paretoflow.core.protocols import Prompt
from paretoflow.data import hub, jsonl, parquet
from paretoflow.data.answers import PairReader, RatingReader
from paretoflow.data.bad_rows import BadRows, Row
from paretoflow.data.identity import identity_of
from paretoflow.data.needs import Needs
from paretoflow.data.prompts import Pools, PromptSets, RenderChat, draw
from paretoflow.data.rows import RowReader, existing_file
from paretoflow.spec.data import HubDataSpec, JsonlDataSpec, ParquetDataSpec, RowsSpec
from paretoflow.spec.data_given import (
    GivenSource,
    PairSourceSpec,
    PreferencesDataSpec,
    RatingsDataSpec,
    kind_of,
)

Spec = PreferencesDataSpec | RatingsDataSpec
ReadRows = Callable[[GivenSource], Iterable[Row]]


@dataclass(frozen=True)
class Gathered:
    """All prompts of the sources, and the feedback on answers to each, by the prompt's identity."""

    pools: Pools
    said: Mapping[str, tuple[Feedback, ...]]


def read(spec: Spec, render_chat: RenderChat | None) -> Pools:
    """Return the prompts alone; see `gathered`."""
    return gathered(spec, render_chat, ()).pools


def rows_of(
    source: RowsSpec, hub_rows: Callable[[HubDataSpec | GivenSource], Iterable[Row]] = hub.rows_of
) -> Iterable[Row]:
    """Return the rows of a source of any kind: the spec says the kind, or else the source's name.

    Args:
        source: The source.
        hub_rows: Reads a data set that is no file.

    Raises:
        DataError: If there is no such file or data set.
        MissingExtraError: If the library that reads it is not installed.
    """
    kind = getattr(source, "type", None) or kind_of(source.path)
    if kind == "hub":
        assert not isinstance(source, JsonlDataSpec | ParquetDataSpec)
        return hub_rows(source)
    file = existing_file(source.path)
    return parquet.rows_of(file) if kind == "parquet" else jsonl.rows_of(file)


def gathered(
    spec: Spec, render_chat: RenderChat | None, names: Sequence[str], rows: ReadRows = rows_of
) -> Gathered:
    """Read all sources.

    Args:
        spec: The sources.
        render_chat: As for `load_prompts`.
        names: Objectives that a column may name; empty allows any.
        rows: Reader of a source's rows.

    Raises:
        DataError: If a source cannot be read, or a row cannot be used and the spec allows none.
    """
    bad = BadRows(spec.on_bad_row == "skip")
    found: list[tuple[Prompt, Feedback]] = []
    sources: tuple[GivenSource, ...] = spec.sources
    for source in sources:
        own = BadRows(bad.skip)
        read_here = list(_read(source, render_chat, names, rows(source), own))
        own.require_few(len(read_here), source.path)
        bad.count, bad.first = bad.count + own.count, [*bad.first, *own.first][:SHOWN]
        found += read_here
    said: dict[str, list[Feedback]] = {}
    for prompt, one in found:
        said.setdefault(identity_of(prompt), []).append(one)
    whole = {}
    for asked, all_said in said.items():
        try:
            whole[asked] = _merged(all_said)
        except DataError as error:
            bad.take(error)
    kept = [(p, one.where) for p, one in found if identity_of(p) in whole]
    name = spec.sources[0].path if len(spec.sources) == 1 else "data.sources"
    bad.require_few(len(kept), name)
    prompts, places = zip(*kept, strict=True) if kept else ((), ())
    return Gathered(Pools(name, tuple(prompts), None, tuple(places), bad), whole)


def drawn(found: Gathered, spec: Spec, seed: int, needs: Needs) -> PromptSets:
    """Draw the sets of a sweep; the feedback belongs to the train prompts.

    Raises:
        DataError: As `prompts.draw` does; or if no feedback in the train set covers an objective.
    """

    def unfit(prompt: Prompt) -> DataError | None:
        said = found.said[identity_of(prompt)]
        return needs.unfit(prompt) or needs.unfit_answers(prompt, said, spec.max_answer_tokens)

    sets = draw(found.pools, spec, seed, unfit)
    given, held_out = (
        tuple(found.said[identity_of(prompt)] for prompt in part)
        for part in (sets.train, sets.validation)
    )
    facts = _facts(sets.facts, given)
    _require_something(needs.objectives, given, facts, found.pools.source)
    plain = [[[one.plain() for one in said] for said in part] for part in (given, held_out)]
    digest = digest_of([sets.digest, plain])
    return replace(sets, given=given, given_held_out=held_out, facts=facts, digest=digest)


def _require_something(
    names: Sequence[str], given: Sequence[Sequence[Feedback]], facts: DataFacts, source: str
) -> None:
    """Refuse a train set in which an objective distinguishes no two answers."""
    told = {name for said in given for one in said for name in _tells(one)}
    spoken = dict(facts.spoken)
    for name in names:
        where = f"the {len(given)} train prompts"
        if not spoken.get(name):
            what = f"no {facts.learnt} of {where} speak for `{name}`"
            hint = "raise data.train, or add a source for it"
            raise DataError(what, source, hint, code="data-objective")
        if name not in told:
            what = f"`{name}` rates all answers to a prompt alike, to each of {where}"
            hint = "raise data.train, or name another column in `ratings`"
            raise DataError(what, source, hint, code="data-objective")


def _tells(said: Feedback) -> Iterator[str]:
    """Yield the objectives that distinguish two of the answers."""
    yield from said.better
    yield from (name for name, row in said.ratings.items() if len(set(row)) > 1)


def _read(
    source: GivenSource,
    render_chat: RenderChat | None,
    names: Sequence[str],
    rows: Iterable[Row],
    bad: BadRows,
) -> Iterator[tuple[Prompt, Feedback]]:
    answers: PairReader | RatingReader
    if isinstance(source, PairSourceSpec):
        answers = PairReader(source, names)
    else:
        answers = RatingReader(source)
    prompts = RowReader(source, render_chat, answers.used)

    def read(where: str, row: Mapping[str, Any]) -> tuple[Prompt, Feedback]:
        prompt = prompts.prompt(where, row)
        return prompt, answers.read(prompt, row, where)

    yield from bad.good(rows, read)
    prompts.require_seen()


def _merged(said: Sequence[Feedback]) -> tuple[Feedback, ...]:
    """Return the feedback on answers to one prompt, without repeats, in an order of its own.

    Raises:
        DataError: If a single answer was rated, so that there is nothing to compare.
    """
    if said[0].ratings:
        return (_rated(said),)
    merged: dict[tuple[str, ...], list[dict[str, int]]] = {}
    where: dict[tuple[str, ...], str] = {}
    for one in said:
        answers = tuple(sorted(one.answers))
        turned = answers != one.answers
        kept = merged.setdefault(answers, [])
        where.setdefault(answers, one.where)
        for name, index in one.better.items():
            _put(kept, name, 1 - index if turned else index)
    found = [
        Feedback(answers, better, where=where[answers])
        for answers, kept in merged.items()
        for better in kept
    ]
    return tuple(sorted(found, key=lambda f: (f.answers, sorted(f.better.items()))))


def _put(kept: list[dict[str, int]], name: str, index: int) -> None:
    """Add a label to a pair; a label that contradicts an earlier one adds the pair again."""
    if any(better.get(name) == index for better in kept):
        return
    free = next((better for better in kept if name not in better), None)
    if free is None:
        kept.append({name: index})
    else:
        free[name] = index


def _rated(said: Sequence[Feedback]) -> Feedback:
    """Return all rated answers to a prompt; repeated ratings of an answer are averaged."""
    ratings: dict[str, list[dict[str, float]]] = {}
    for one in said:
        for number, answer in enumerate(one.answers):
            row = {name: values[number] for name, values in one.ratings.items()}
            ratings.setdefault(answer, []).append(row)
    answers = tuple(sorted(ratings))
    if len(answers) < 2:
        what = "only one answer to this prompt is rated; allowed: two or more, to be compared"
        hint = "drop the row, or rate another answer"
        raise DataError(what, said[0].where, hint, code="data-rating")
    return Feedback(
        answers,
        ratings={
            name: tuple(float(np.mean([row[name] for row in ratings[a]])) for a in answers)
            for name in sorted(said[0].ratings)
        },
        where=said[0].where,
    )


def _facts(facts: DataFacts, given: Sequence[Sequence[Feedback]]) -> DataFacts:
    found = [one for said in given for one in said]
    rated = any(one.ratings for one in found)
    spoken: dict[str, int] = {}
    for one in found:
        for name in one.ratings or one.better:
            spoken[name] = spoken.get(name, 0) + (len(one.answers) if rated else 1)
    several = [one for one in found if len(one.better) > 1]
    return replace(
        facts,
        repeated=0,  # rows with the same prompt add feedback
        learnt="rated answers" if rated else "pairs",
        given=sum(len(one.answers) for one in found) if rated else len(found),
        spoken=tuple(sorted(spoken.items())),
        shared=len(several),
        opposed=sum(len(set(one.better.values())) > 1 for one in several),
    )
