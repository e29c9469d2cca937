"""Prompts and scored answers: the training material of all runs of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.values import FloatArray, IntArray

Standard = Literal["prompt", "global", "none"]
"""Unit in which objectives are weighed against each other.

prompt: standard deviation of the answers to one prompt, the same unit for all prompts, counted from
the prompt's mean. global: standard deviation over the answers to all prompts. none: raw scores.
"""

LEAST_STD = 1e-8
"""Lower bound of an objective's standard deviation."""
_NOTHING = 1e-9
"""Scores of the answers to a prompt that differ by less, relative to their size, count as equal."""


@dataclass(frozen=True)
class Prompt:
    """One row of the common prompt schema; every data source is converted to it.

    Args:
        prompt_id: Stable identifier, derived from the content.
        text: The rendered prompt; the answer begins at its end.
        reference: Reference answer; empty when there is none.
        passages: Texts that the answer may draw on.
        messages: The chat turns that `text` was rendered from; empty for a plain prompt.
        extra: The other columns of the row, for objectives of the user.
    """

    prompt_id: str
    text: str
    reference: str = ""
    passages: tuple[str, ...] = ()
    messages: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """Human feedback in the first rows of a table, and the share of draws that runs take from it.

    Args:
        rows: Number of rows with human feedback; the rows after them hold the base's own answers.
        share: Share of a run's draws that comes from these rows.
        names: Names of the objectives, in the order of the gains. The order of drawing follows
            names, so that it does not depend on the order of the objectives.
        labels: Preferred answer of a row's first two for each objective, shape (rows, m): 1 the
            first, -1 the second, 0 no label. None where the rows have ratings.
        scored: Whether gains of labelled rows are scores; else they are 0.
    """

    rows: int
    share: float
    names: tuple[str, ...]
    labels: IntArray | None = None
    scored: bool = False


@dataclass(frozen=True)
class Candidates:
    """Scored answers to the train prompts: the training data of every run.

    The answers are sampled from the base and scored once per sweep, or come from people (`given`).
    There are P rows, each a prompt with C answers. Empty answers of the base are kept.

    Args:
        prompts: Length P.
        completions: Answer texts, P rows of C, stripped at both ends, no end-of-text token.
        completion_ids: Token ids of each answer, with the end-of-text token if the model gave one.
        prompt_ids: Token ids of each prompt.
        gains: Oriented scores, shape (P, C, m).
        mean: Mean gain over all candidates, shape (m,); frozen for the sweep.
        std: Standard deviation likewise, at least 1e-8.
        ref_logprobs: Sum of the base's log-probabilities over each answer's ids, shape (P, C).
        standard: The units of `standardised`.
        given: Human feedback in the first rows; None where all answers are the base's own.
        counts: Number of answers of each row, shape (P,); a row with fewer than C is filled up by
            repeating its first. None: C each.

    By hand, `prompt`: two prompts, one objective, gains (0, 2) and (10, 14): means 1 and 12,
    squared distances 1 + 1 + 4 + 4 over 2 (2 - 1) degrees of freedom, unit sqrt(5). `global`: mean
    6.5, unit 5.7227: most of this unit is the difference between prompts, which no pair has.
    """

    prompts: tuple[Prompt, ...]
    completions: tuple[tuple[str, ...], ...]
    completion_ids: tuple[tuple[tuple[int, ...], ...], ...]
    prompt_ids: tuple[tuple[int, ...], ...]
    gains: FloatArray
    mean: FloatArray
    std: FloatArray
    ref_logprobs: FloatArray
    standard: Standard = "global"
    given: Given | None = None
    counts: IntArray | None = None

    @property
    def standardised(self) -> FloatArray:
        """Return the gains in the units of `standard`, shape (P, C, m).

        Rows with human feedback and rows of the base are standardised separately.
        """
        if self.given is not None and 0 < self.given.rows < len(self.gains):
            parts = self._part(slice(self.given.rows)), self._part(slice(self.given.rows, None))
            return np.concatenate([part.standardised for part in parts])
        return self.in_standard(self.gains, np.arange(len(self.gains)))

    def _part(self, rows: slice) -> Candidates:
        counts = None if self.counts is None else self.counts[rows]
        gains = self.gains[rows]
        there = gains[_present(gains, counts)]
        return replace(
            self,
            gains=gains,
            counts=counts,
            mean=there.mean(axis=0),
            std=np.maximum(there.std(axis=0), LEAST_STD),
            given=None,
        )

    def in_standard(self, gains: FloatArray, rows: IntArray) -> FloatArray:
        """Return gains of answers in the units of `standard`.

        Args:
            gains: Gains of answers to the prompts of `rows`, shape (n, ..., m).
            rows: Indices of the prompts, shape (n,).
        """
        centre = self._centres()[rows]
        shape = (len(gains), *(1,) * (gains.ndim - 2), gains.shape[-1])
        return np.asarray((gains - centre.reshape(shape)) / self.unit, dtype=np.float64)

    @property
    def unit(self) -> FloatArray:
        """Return one unit of `standard` as a gain, shape (m,), positive.

        `prompt` falls back to `global` for an objective in which no two answers to a prompt differ.
        """
        if self.standard == "none":
            return np.ones_like(self.std)
        if self.standard == "global":
            return self.std
        present = _present(self.gains, self.counts)
        apart = (self.gains - self._means()[:, None, :]) * present[:, :, None]
        freedom = int(present.sum()) - len(present)
        within = np.sqrt(np.square(apart).sum(axis=(0, 1)) / max(freedom, 1))
        nothing = within <= _NOTHING * np.abs(self.gains).max(axis=(0, 1), initial=0.0)
        return np.asarray(np.where(nothing, self.std, within), dtype=np.float64)

    def _centres(self) -> FloatArray:
        """Return the origin that gains are counted from, shape (P, m)."""
        count, _, m = self.gains.shape
        if self.standard == "prompt":
            return self._means()
        centre = self.mean if self.standard == "global" else np.zeros(m)
        return np.asarray(np.broadcast_to(centre, (count, m)), dtype=np.float64)

    def _means(self) -> FloatArray:
        """Return the mean gain of each prompt's answers, shape (P, m)."""
        if self.counts is None:
            return np.asarray(self.gains.mean(axis=1), dtype=np.float64)
        present = _present(self.gains, self.counts)[:, :, None]
        return np.asarray((self.gains * present).sum(axis=1) / self.counts[:, None])


def _present(gains: FloatArray, counts: IntArray | None) -> NDArray[np.bool_]:
    """Return a mask of the answers that do not just fill up their row, shape (P, C)."""
    rows, each, _ = gains.shape
    if counts is None:
        return np.ones((rows, each), dtype=bool)
    return np.asarray(np.arange(each) < counts[:, None])
