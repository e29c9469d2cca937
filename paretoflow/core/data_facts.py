"""Facts about a sweep's data: rows left out, repeated prompts and overlap between the sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from paretoflow.core.shown import shown

SHOWN = 5
"""Rows that are shown one by one; the others are counted."""


@dataclass(frozen=True)
class DataFacts:
    """Counts over the rows of a source, kept with the sweep.

    Args:
        rows: Rows that were read.
        left_out: Rows that could not be used, under `data.on_bad_row: skip`.
        why: Position and fault of the first rows that were left out.
        repeated: Rows with the same prompt as another row; each prompt is used once.
        near: Eval prompts that nearly repeat a train or validation prompt.
        evals: Number of eval prompts.
        pairs: The first of the near prompts, each with the prompt that it repeats, shortened.
        learnt: Kind of human feedback that runs learn from, in words, for instance "pairs"; empty
            where they learn from the base's own answers alone.
        given: Number of rows of human feedback.
        spoken: Number of these rows with feedback on each objective.
        shared: Number of these rows with labels of several objectives.
        opposed: Number of these shared rows whose labels disagree.
    """

    rows: int = 0
    left_out: int = 0
    why: tuple[str, ...] = ()
    repeated: int = 0
    near: int = 0
    evals: int = 0
    pairs: tuple[tuple[str, str], ...] = ()
    learnt: str = ""
    given: int = 0
    spoken: tuple[tuple[str, int], ...] = ()
    shared: int = 0
    opposed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any] | None) -> DataFacts:
        """Read `to_dict`'s form; a sweep of an earlier version has no facts."""
        told = plain or {}
        found = {f.name: told[f.name] for f in fields(cls) if f.name in told}
        found["why"] = tuple(told.get("why", ()))
        found["pairs"] = tuple((a, b) for a, b in told.get("pairs", ()))
        found["spoken"] = tuple((name, count) for name, count in told.get("spoken", ()))
        return cls(**found)

    def lines(self) -> Iterable[str]:
        """Yield notes about the data for a person, one sentence each; nothing where all is well."""
        if self.learnt:
            yield self._given_line()
        if self.left_out:
            more = " …" if self.left_out > len(self.why) else ""
            told = shown("; ".join(self.why))
            yield f"{self.left_out} of {self.rows} rows were left out: {told}{more}"
        if self.repeated:
            yield f"{_rows(self.repeated)} what another row asks: each prompt is used once"
        if self.near:
            what = f"{self.near} of {self.evals} eval prompts"
            yield near_line(self.near, what, "a train or validation prompt", self.pairs)

    def _given_line(self) -> str:
        each = ", ".join(f"{name} {count}" for name, count in self.spoken)
        line = f"runs learn from {self.given} {self.learnt}: {each}"
        if self.shared:
            line += f"; {self.shared} have labels of several, which disagree on {self.opposed}"
        return line


def near_line(near: int, what: str, other: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return a sentence that prompts nearly repeat others, with the first two pairs.

    Args:
        near: Number of prompts that nearly repeat another.
        what: Subject of the sentence: the same number, in words.
        other: Words for the prompts that are repeated.
        pairs: Prompts, each with the prompt that it repeats, shortened.
    """
    repeats = "repeats" if near == 1 else "repeat"
    first = "; ".join(f"'{shown(a)}' and '{shown(b)}'" for a, b in pairs[:2])
    return f"{what} nearly {repeats} {other}: {first}"


def _rows(count: int) -> str:
    return f"{count} row asks" if count == 1 else f"{count} rows ask"
