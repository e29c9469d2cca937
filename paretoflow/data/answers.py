"""Read the answers in a row, with their labels or ratings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from paretoflow.core.errors import DataError
from paretoflow.core.feedback import Feedback
from paretoflow.core.protocols import Prompt
from paretoflow.data.cells import refuse_half_characters, value_in
from paretoflow.data.chat import all_turns, marked_turns, turns_of_dialogue
from paretoflow.data.missing import is_missing
from paretoflow.spec.data_given import PairSourceSpec, RatingSourceSpec
from paretoflow.spec.shape import nearest

_DROP = "drop the row"


class PairReader:
    """Reads one pair of answers from each row of a source.

    Args:
        names: Objectives that a pair may label.
    """

    def __init__(self, source: PairSourceSpec, names: Sequence[str]) -> None:
        columns = source.columns
        self._source, self._names = source, names
        self._columns = columns.answers or (columns.chosen, columns.rejected)
        own = {columns.messages, columns.dialogue} & set(self._columns)
        self._whole = source.whole or bool(own)
        self.used = {*self._columns, *source.better.values()}
        if not (source.objective or source.better):
            self.used.add(columns.objective)

    def read(self, prompt: Prompt, row: Mapping[str, Any], where: str) -> Feedback:
        """Return the pair of a row.

        Raises:
            DataError: If an answer is missing, empty or no answer to the prompt, both are equal, or
                their labels cannot be read.
        """
        start = self._start(prompt, row, where) if self._whole else None
        answers = [
            _answer(value_in(row, column, where), start, prompt, column, where)
            for column in self._columns
        ]
        if answers[0].strip() == answers[1].strip():
            what = f"{self._columns[0]} and {self._columns[1]} are the same answer"
            raise DataError(what, where, _DROP, code="data-pair")
        return Feedback(tuple(answers), self._better(row, where), where=where)

    def _start(self, prompt: Prompt, row: Mapping[str, Any], where: str) -> str:
        """Return the start of whole texts; whole turns begin with the prompt's own."""
        dialogue = self._source.columns.dialogue
        if dialogue is None:
            return prompt.text
        return turns_of_dialogue(str(value_in(row, dialogue, where)), where)[0]

    def _better(self, row: Mapping[str, Any], where: str) -> dict[str, int]:
        source = self._source
        if source.objective is not None:
            return {source.objective: 0}
        if not source.better:
            name = value_in(row, source.columns.objective, where)
            if self._names and name not in self._names:
                raise _unknown(name, source.columns.objective, self._names, where)
            return {str(name): 0}
        cells = {name: value_in(row, column, where) for name, column in source.better.items()}
        said = {name: cell for name, cell in cells.items() if not is_missing(cell)}
        if not said:
            columns = _listed(source.better.values())
            what = f"no objective says which answer is the better: {columns} are empty"
            raise DataError(what, where, _DROP, code="data-pair")
        return {name: self._index(cell, source.better[name], where) for name, cell in said.items()}

    def _index(self, cell: Any, column: str, where: str) -> int:
        places = {0: 0, 1: 1, "0": 0, "1": 1, self._columns[0]: 0, self._columns[1]: 1}
        place = None if isinstance(cell, bool | list | dict) else places.get(cell)
        if place is None:
            allowed = f"0, 1, {self._columns[0]!r} or {self._columns[1]!r}"
            what = f"column {column!r} holds {repr(cell)[:80]}; allowed: {allowed}"
            raise DataError(
                what,
                where,
                "drop the row, or leave the cell empty for no preference",
                code="data-value",
            )
        return place


class RatingReader:
    """Reads the rated answers of each row of a source."""

    def __init__(self, source: RatingSourceSpec) -> None:
        self._source = source
        columns = source.columns
        self.used = {columns.completion, columns.completions}
        self.used |= {path.split(".")[0] for path in source.ratings.values()}

    def read(self, prompt: Prompt, row: Mapping[str, Any], where: str) -> Feedback:
        """Return the answers of a row with their ratings.

        Raises:
            DataError: If an answer is missing or empty, or one of its ratings is missing or no
                finite number.
        """
        columns = self._source.columns
        if columns.completions is None:
            column = columns.completion or ""
            answers = [_answer(value_in(row, column, where), None, prompt, column, where)]
            return Feedback(tuple(answers), ratings=self._ratings([row], where), where=where)
        found = value_in(row, columns.completions, where)
        if not isinstance(found, list | tuple) or not found:
            what = f"column {columns.completions!r} must hold a list of answers"
            raise DataError(f"{what}, got {repr(found)[:80]}", where, _DROP, code="data-value")
        plain = not any(isinstance(one, Mapping) for one in found)
        answers = [
            _answer(one if plain else _at(one, columns.text), None, prompt, f"answer {n}", where)
            for n, one in enumerate(found, start=1)
        ]
        cells = self._spread(row, len(found), where) if plain else list(found)
        return Feedback(tuple(answers), ratings=self._ratings(cells, where), where=where)

    def _spread(self, row: Mapping[str, Any], count: int, where: str) -> list[Mapping[str, Any]]:
        """Return the ratings of each answer, from columns that hold a list each."""
        lists = {}
        for path in self._source.ratings.values():
            values = _at(row, path)
            if not isinstance(values, list | tuple) or len(values) != count:
                what = f"column {path!r} must hold {count} ratings, one for each answer"
                raise DataError(
                    f"{what}, got {repr(values)[:80]}", where, _DROP, code="data-rating"
                )
            lists[path] = values
        return [{path: values[i] for path, values in lists.items()} for i in range(count)]

    def _ratings(
        self, cells: Sequence[Mapping[str, Any]], where: str
    ) -> dict[str, tuple[float, ...]]:
        return {
            name: tuple(_rating(_at(one, path), name, n, where) for n, one in enumerate(cells, 1))
            for name, path in self._source.ratings.items()
        }


def _answer(value: Any, start: str | None, prompt: Prompt, column: str, where: str) -> str:
    """Return an answer's text; after chat turns, without white space at its ends.

    Args:
        value: Text, or chat turns.
        start: Start of a whole text; None where the value holds the answer alone.
        prompt: Prompt of the answer.
        column: For messages.
        where: Likewise.
    """
    if isinstance(value, list | tuple) and not isinstance(value, str):
        text = _spoken(all_turns(value, where), start, prompt, column, where)
    elif not isinstance(value, str):
        what = f"{column!r} must hold text or chat turns, got {repr(value)[:80]}"
        hint = _DROP if is_missing(value) else "name another column"
        raise DataError(what, where, hint, code="data-value")
    else:
        text = value
        if start is not None:
            if not value.startswith(start):
                what = f"{column!r} does not begin with the prompt: the texts part at character "
                raise DataError(f"{what}{_parting(start, value)}", where, _DROP, code="data-pair")
            text = value[len(start) :]
            if marked_turns(text):
                what = f"{column!r} goes on for {marked_turns(text)} more turns than the prompt"
                raise DataError(f"{what}'s last answer", where, _DROP, code="data-pair")
    if not text.strip():
        raise DataError(f"{column!r} holds an empty answer", where, _DROP, code="data-empty")
    refuse_half_characters([text], where)
    in_turns = bool(prompt.messages) and prompt.text != start
    return text.strip() if in_turns else text.rstrip()


def _spoken(
    turns: list[dict[str, Any]], start: str | None, prompt: Prompt, column: str, where: str
) -> str:
    """Return the assistant's answer in chat turns."""
    if start is not None:
        before = [dict(turn) for turn in prompt.messages]
        if turns[: len(before)] != before:
            what = f"{column!r} does not begin with the turns of the prompt"
            raise DataError(what, where, _DROP, code="data-pair")
        turns = turns[len(before) :]
    if len(turns) != 1 or turns[0]["role"] != "assistant" or "tool_calls" in turns[0]:
        roles = ", ".join(turn["role"] for turn in turns) or "none"
        what = f"{column!r} must hold one answer of the assistant in text; its turns: {roles}"
        hint = f"{_DROP}, or set `whole: true` where the prompt's turns are in it too"
        raise DataError(what, where, hint, code="data-messages")
    return str(turns[0]["content"])


def _at(value: Any, path: str) -> Any:
    """Return the value at a dotted path; a key that contains dots takes precedence."""
    if isinstance(value, Mapping) and path in value:
        return value[path]
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def _rating(value: Any, name: str, number: int, where: str) -> float:
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        got = "none" if is_missing(value) and not isinstance(value, float) else repr(value)[:80]
        what = f"answer {number} has no rating of `{name}` that is a finite number: {got}"
        raise DataError(
            what, where, f"{_DROP}, or name its column in `ratings`", code="data-rating"
        )
    return found


def _parting(start: str, value: str) -> int:
    same = zip(start, value, strict=False)
    return next((i for i, (a, b) in enumerate(same, 1) if a != b), min(len(start), len(value)) + 1)


def _unknown(name: Any, column: str, names: Sequence[str], where: str) -> DataError:
    near = nearest(name, names)
    hint = f"did you mean {near!r}?" if near else _DROP
    what = f"column {column!r} names the objective {repr(name)[:80]}; allowed: {_listed(names)}"
    return DataError(what, where, hint, code="data-objective")


def _listed(names: Any) -> str:
    return ", ".join(names)
