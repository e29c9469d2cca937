"""From a pool of prompts to the three disjoint sets of a sweep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from paretoflow.core.data_facts import SHOWN, DataFacts
from paretoflow.core.errors import DataError
from paretoflow.core.feedback import Feedback
from paretoflow.core.ids import digest_of
from paretoflow.core.protocols import Prompt
from paretoflow.data.bad_rows import BadRows
from paretoflow.data.identity import identity_of
from paretoflow.data.near import near_pairs
from paretoflow.spec.data import DataSpec
from paretoflow.spec.data_given import GivenSpec

RenderChat = Callable[..., str]
"""Renders chat turns ({role, content}) as a prompt that ends where the answer begins. The second
argument holds the row's tools, if any."""

Unfit = Callable[[Prompt], DataError | None]
"""Returns why a prompt cannot be used in a sweep, or None."""

_SMALLEST_SET = 2
_SHORTENED = 60


@dataclass(frozen=True)
class Pools:
    """All prompts of a source.

    Args:
        source: Name of the source for messages.
        train: Prompts for the train and validation sets.
        eval: Prompts for the eval set; None when the source has no such split: then `train` serves
            all sets.
        places: File and line of each prompt of `train`, for messages; empty when there is no file.
        bad: Rows that gave no prompt.
    """

    source: str
    train: tuple[Prompt, ...]
    eval: tuple[Prompt, ...] | None = None
    places: tuple[str, ...] = ()
    bad: BadRows = field(default_factory=BadRows)


@dataclass(frozen=True)
class PromptSets:
    """The prompts of a sweep; no two are the same prompt.

    Args:
        digest: Hash of everything in the three sets, in order, and of the feedback.
        facts: Counts of the source's rows, by their use.
        given: Feedback on answers to each train prompt, in the prompts' order; empty where runs
            learn from the base's own answers alone.
        given_held_out: Feedback for each validation prompt; no run learns from it.
    """

    train: tuple[Prompt, ...]
    eval: tuple[Prompt, ...]
    validation: tuple[Prompt, ...]
    digest: str
    facts: DataFacts = field(default_factory=DataFacts)
    given: tuple[tuple[Feedback, ...], ...] = ()
    given_held_out: tuple[tuple[Feedback, ...], ...] = ()


@dataclass(frozen=True)
class _Drawn:
    """A distinct prompt with its place in the order of drawing."""

    key: str
    prompt: Prompt
    where: str


def new_prompt(
    text: str,
    *,
    reference: str = "",
    passages: Sequence[str] = (),
    messages: Sequence[Mapping[str, Any]] = (),
    extra: Mapping[str, Any] | None = None,
) -> Prompt:
    """Build a prompt named by a hash of its text, reference and passages."""
    prompt_id = digest_of({"text": text, "reference": reference, "passages": list(passages)})[:16]
    return Prompt(prompt_id, text, reference, tuple(passages), tuple(messages), extra or {})


def draw(
    pools: Pools, sizes: DataSpec, seed: int, unfit: Unfit = lambda prompt: None
) -> PromptSets:
    """Draw the sets of a sweep.

    Prompts are ordered by a hash of the seed and their `identity`, so neither the order of rows,
    nor rows that repeat a prompt, nor references decide which set a prompt is in. Of rows with the
    same prompt one is kept, independent of their order: one with a reference before one without,
    then by a hash. A set is filled in that order; unfit prompts are skipped.

    Raises:
        DataError: If there are too few distinct prompts; or one is unfit and the spec says that bad
            rows are errors, or most are unfit.
    """
    by_row = not isinstance(sizes, GivenSpec) and getattr(sizes, "drawn_by", "row") == "row"
    arranged = _by_row if by_row else _by_content
    bad = BadRows(pools.bad.skip, pools.bad.count, list(pools.bad.first))
    order = arranged(pools.train, pools.places, seed)
    repeated = len(pools.train) - len(order)
    if pools.eval is None:
        wanted = {"eval": sizes.eval, "validation": sizes.validation, "train": sizes.train}
        sets = _taken(order, wanted, pools.source, unfit, bad)
    else:
        held_out = {p.text for p in pools.eval}
        order = [drawn for drawn in order if drawn.prompt.text not in held_out]
        wanted = {"validation": sizes.validation, "train": sizes.train}
        sets = _taken(order, wanted, f"{pools.source} (train split)", unfit, bad)
        own = arranged(pools.eval, (), seed)
        sets |= _taken(own, {"eval": sizes.eval}, f"{pools.source} (eval split)", unfit, bad)
    digest = digest_of({name: _plain(part) for name, part in sets.items()})
    facts = _facts(pools, sets, bad, repeated)
    return PromptSets(sets["train"], sets["eval"], sets["validation"], digest, facts)


def _by_content(prompts: Sequence[Prompt], places: Sequence[str], seed: int) -> list[_Drawn]:
    kept: dict[str, tuple[tuple[bool, str, str], int]] = {}
    for index, prompt in enumerate(prompts):
        rank = (not prompt.reference.strip(), prompt.prompt_id, _plain([prompt])[0])
        identity = identity_of(prompt)
        kept[identity] = min(kept.get(identity, (rank, index)), (rank, index))
    return sorted(
        (
            _Drawn(digest_of([seed, identity]), prompts[index], _at(places, index))
            for identity, (_, index) in kept.items()
        ),
        key=lambda drawn: drawn.key,
    )


def _by_row(prompts: Sequence[Prompt], places: Sequence[str], seed: int) -> list[_Drawn]:
    """Order as sweeps of earlier versions do: by the whole row, the first of equal texts."""
    first: dict[str, int] = {}
    for index, prompt in enumerate(prompts):
        first.setdefault(prompt.text, index)
    return sorted(
        (
            _Drawn(digest_of([seed, prompts[i].prompt_id]), prompts[i], _at(places, i))
            for i in first.values()
        ),
        key=lambda drawn: drawn.key,
    )


def _at(places: Sequence[str], index: int) -> str:
    return places[index] if places else ""


def _taken(
    order: Sequence[_Drawn], wanted: Mapping[str, int], source: str, unfit: Unfit, bad: BadRows
) -> dict[str, tuple[Prompt, ...]]:
    """Return consecutive groups of the usable prompts, in the order of `wanted`."""
    total, fit, before = sum(wanted.values()), list[Prompt](), bad.count
    for drawn in order:
        if len(fit) == total:
            break
        error = unfit(drawn.prompt)
        if error is None:
            fit.append(drawn.prompt)
        elif drawn.where:
            where = error.where or drawn.where
            bad.take(DataError(error.what, where, error.hint, code=error.code))
        else:  # built-in prompts: there is no row to skip
            raise DataError(error.what, source, error.hint, code=error.code)
    lost = bad.count - before
    if lost > len(fit):
        bad.require_few(len(fit), source)
    if len(fit) < total:
        raise _too_few(len(fit), wanted, source, lost)
    sets: dict[str, tuple[Prompt, ...]] = {}
    start = 0
    for name, size in wanted.items():
        sets[name] = tuple(fit[start : start + size])
        start += size
    return sets


def _too_few(available: int, wanted: Mapping[str, int], source: str, lost: int) -> DataError:
    parts = " + ".join(
        f"{name} {size}" for name, size in sorted(wanted.items(), key=lambda w: -w[1])
    )
    total = sum(wanted.values())
    largest = max(wanted, key=lambda name: wanted[name])
    room = available - (total - wanted[largest])
    if room >= _SMALLEST_SET:
        hint = f"lower data.{largest} to at most {room}"
    elif available >= _SMALLEST_SET * len(wanted):
        names = ", ".join(f"data.{name}" for name in wanted)
        hint = f"lower {names} to at most {available} in all"
    else:
        hint = f"use a larger source: the smallest sizes need {_SMALLEST_SET * len(wanted)} prompts"
    what = f"{available} distinct prompts, but {parts} asks for {total}"
    what += f" ({lost} more were left out)" if lost else ""
    return DataError(what, where=source, hint=hint, code="data-too-few")


def _facts(
    pools: Pools, sets: Mapping[str, tuple[Prompt, ...]], bad: BadRows, repeated: int
) -> DataFacts:
    evals, others = sets["eval"], (*sets["train"], *sets["validation"])
    near = near_pairs(evals, others)
    return DataFacts(
        rows=len(pools.train) + pools.bad.count,
        left_out=bad.count,
        why=tuple(bad.first),
        repeated=repeated,
        near=len(near),
        evals=len(evals),
        pairs=tuple((shortened(evals[a].text), shortened(others[b].text)) for a, b in near[:SHOWN]),
    )


def shortened(text: str) -> str:
    """Return the end of a text as one line, for messages."""
    line = " ".join(text.split())
    return line if len(line) <= _SHORTENED else f"… {line[-_SHORTENED:]}"


def _plain(prompts: Iterable[Prompt]) -> list[str]:
    # ASCII JSON: an extra column may hold text that UTF-8 cannot encode
    return [json.dumps(asdict(p), sort_keys=True, default=str) for p in prompts]
