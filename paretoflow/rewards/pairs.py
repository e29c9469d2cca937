"""Preference pairs from files, split into training and held-out pairs."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from paretoflow.core.errors import DataError
from paretoflow.core.ids import digest_of, seed_of
from paretoflow.core.protocols import Prompt
from paretoflow.data import jsonl, parquet
from paretoflow.data.bad_rows import Row
from paretoflow.data.chat import turns_of_dialogue, turns_of_messages
from paretoflow.data.identity import identity_of
from paretoflow.data.missing import is_missing
from paretoflow.spec.rewards import PairsSpec, RewardSpec


@dataclass(frozen=True)
class PreferencePair:
    """Two answers to a prompt, the better one first.

    Args:
        objective: Objective by which it was better; empty where groups are to be found.
        annotator: Who chose; empty where the spec does not need it.
    """

    prompt: Prompt
    chosen: str
    rejected: str
    objective: str = ""
    annotator: str = ""


@dataclass(frozen=True)
class PairSets:
    """The pairs of each objective, in the order of `names`."""

    names: tuple[str, ...]
    train: tuple[tuple[PreferencePair, ...], ...]
    held_out: tuple[tuple[PreferencePair, ...], ...]


def read_pairs(spec: RewardSpec) -> list[PreferencePair]:
    """Read all files in their order.

    Raises:
        DataError: If a file or a row does not match the spec; names file and line.
    """
    return [pair for source in spec.pairs for pair in _read(source, spec)]


def split_pairs(pairs: Sequence[PreferencePair], spec: RewardSpec) -> PairSets:
    """Split each objective's pairs into training pairs and held-out pairs.

    The split is by prompt, however it is spelt, so that no prompt is in both sets; the share is
    rounded up to whole prompts. A function of prompts and seed alone: the order of the rows does
    not matter. Objectives are in the order of their first pair, or by name where groups were found.

    Raises:
        DataError: If an objective has pairs of fewer than two prompts.
    """
    found = dict.fromkeys(pair.objective for pair in pairs)
    names = tuple(sorted(found) if spec.groups is not None else found)
    train, held_out = [], []
    for name in names:
        own = [pair for pair in pairs if pair.objective == name]
        asked = [digest_of(identity_of(pair.prompt)) for pair in own]
        ids = sorted(set(asked), key=lambda i: (seed_of(spec.seed, i), i))
        if len(ids) < 2:
            raise DataError(
                f"objective {name} has pairs of {len(ids)} prompt; allowed: at least 2, so that "
                "one can be held out",
                hint="add pairs, or fewer groups",
                code="data-too-few",
            )
        out = set(ids[: min(math.ceil(spec.held_out * len(ids)), len(ids) - 1)])
        train.append(tuple(p for p, i in zip(own, asked, strict=True) if i not in out))
        held_out.append(tuple(p for p, i in zip(own, asked, strict=True) if i in out))
    return PairSets(names, tuple(train), tuple(held_out))


def regrouped(pairs: Sequence[PreferencePair], groups: Mapping[str, int]) -> list[PreferencePair]:
    """Return the pairs with their annotator's group as objective."""
    return [replace(pair, objective=f"group_{groups[pair.annotator]}") for pair in pairs]


def _read(source: PairsSpec, spec: RewardSpec) -> Iterator[PreferencePair]:
    path = Path(source.path)
    rows = parquet.rows_of(path) if path.suffix == ".parquet" else jsonl.rows_of(path)
    empty = True
    for row in rows:
        empty = False
        yield _pair(row, source, spec)
    if empty:
        raise DataError(
            "the file holds no pair", source.path, "name another in pairs", code="data-empty"
        )


def _pair(row: Row, source: PairsSpec, spec: RewardSpec) -> PreferencePair:
    where, values = row
    if isinstance(values, DataError):
        raise values
    columns = spec.columns
    chosen = _text(values, columns.chosen, where)
    rejected = _text(values, columns.rejected, where)
    if columns.prompt is None:
        prompt, chosen, rejected = _dialogues(chosen, rejected, where)
    else:
        prompt = _prompt(values, columns.prompt, where)
    if chosen == rejected:
        raise DataError("chosen and rejected are the same", where, "drop the row", code="data-pair")
    if spec.groups is not None:
        annotator = str(_value(values, spec.groups.annotator, where, (str, int)))
        if is_missing(annotator):
            raise DataError(
                "nobody is named as annotator", where, "drop the row", code="data-value"
            )
        return PreferencePair(prompt, chosen, rejected, annotator=annotator)
    objective = source.objective or _text(values, columns.objective, where)
    if not objective.isidentifier():
        what = f"got {objective!r} for an objective; allowed: letters, digits and _"
        raise DataError(
            what, where, "rename it, or name the file's objective in pairs", code="data-value"
        )
    return PreferencePair(prompt, chosen, rejected, objective)


def _prompt(values: Mapping[str, Any], column: str, where: str) -> Prompt:
    value = _value(values, column, where, (str, list))
    turns = turns_of_messages(value, where) if isinstance(value, list) else []
    text = "" if turns else value
    if not turns and not text.strip():
        raise DataError(
            "the prompt is empty", where, "drop the row or name another column", code="data-empty"
        )
    return Prompt(digest_of([text, turns]), text, messages=tuple(turns))


def _dialogues(chosen: str, rejected: str, where: str) -> tuple[Prompt, str, str]:
    """Return the prompt that two dialogues share, and the continuation of each.

    The prompt ends before the last answer of the one with fewer turns.
    """
    cut = [turns_of_dialogue(dialogue, where) for dialogue in (chosen, rejected)]
    text, turns = min(cut, key=lambda found: len(found[1]))
    if not (chosen.startswith(text) and rejected.startswith(text)):
        what = "chosen and rejected differ before the last answer of both"
        raise DataError(
            what, where, "drop the row, or name a prompt column in columns.prompt", code="data-pair"
        )
    prompt = Prompt(digest_of([text, turns]), text, messages=tuple(turns))
    return prompt, chosen[len(text) :].strip(), rejected[len(text) :].strip()


def _text(values: Mapping[str, Any], column: str, where: str) -> str:
    return str(_value(values, column, where, (str,)))


def _value(values: Mapping[str, Any], column: str, where: str, kinds: tuple[type, ...]) -> Any:
    if column not in values:
        near = difflib.get_close_matches(column, list(values), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "name the column in columns"
        what = f"no column {column!r}; there are {', '.join(map(repr, values)) or 'none'}"
        raise DataError(what, where, hint, code="data-column")
    value = values[column]
    if isinstance(value, bool) or not isinstance(value, kinds):
        words = {str: "text", int: "a whole number", list: "chat turns"}
        names = " or ".join(words[kind] for kind in kinds)
        what = f"column {column!r} must hold {names}, got {repr(value)[:80]}"
        raise DataError(
            what, where, "correct the row, or name another column in columns", code="data-value"
        )
    return value
