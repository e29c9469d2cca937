"""What became of a sweep's rows: which were left out, and how far the sets are apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from paretoflow.core.shown import shown

SHOWN = 5
"""Rows that are told one by one; the others are counted."""


@dataclass(frozen=True)
class DataFacts:
    """Counts over the rows of a source, kept with the sweep.

    Args:
        rows: Rows that were read.
        left_out: Rows that could not be used, under `data.on_bad_row: skip`.
        why: The first of these: where each stands and what was wrong.
        repeated: Rows that ask what another row asks; each prompt is used once.
        near: Eval prompts that nearly repeat a train or validation prompt.
        evals: Eval prompts in all.
        pairs: The first of these and what they repeat, shortened.
        learnt: What people gave that runs learn from, in words, for instance "pairs"; empty where
            they learn from the base's own answers alone.
        given: How many there are.
        spoken: How many of them speak for each objective.
        shared: How many have labels of several objectives.
        opposed: On how many of these the labels disagree.
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
        """Read what `to_dict` gave; a sweep of an earlier version has none of it."""
        told = plain or {}
        found = {f.name: told[f.name] for f in fields(cls) if f.name in told}
        found["why"] = tuple(told.get("why", ()))
        found["pairs"] = tuple((a, b) for a, b in told.get("pairs", ()))
        found["spoken"] = tuple((name, count) for name, count in told.get("spoken", ()))
        return cls(**found)

    def lines(self) -> Iterable[str]:
        """Yield what a person should know, a sentence each; nothing where all is well."""
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
    """Return that prompts nearly repeat others, with the first of the pairs.

    Args:
        near: How many do.
        what: The same in words.
        other: What they repeat.
        pairs: Such prompts and what they repeat, shortened.
    """
    repeats = "repeats" if near == 1 else "repeat"
    first = "; ".join(f"'{shown(a)}' and '{shown(b)}'" for a, b in pairs[:2])
    return f"{what} nearly {repeats} {other}: {first}"


def _rows(count: int) -> str:
    return f"{count} row asks" if count == 1 else f"{count} rows ask"
