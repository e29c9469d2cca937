"""Human-labelled pairs, by objective."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.protocols import Candidates
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.methods.preferences.draws import Stratum


@dataclass(frozen=True)
class Labels:
    """The labelled rows of a table; D_i denotes those that objective i labels.

    Args:
        signs: Preference of each objective between a row's first two answers, shape (rows, m): 1
            for the first, -1 for the second, 0 for no label.
        order: Objectives in the order of their names.
        counts: |D_i| of each objective, shape (m,).
        scored: Whether the rows also have scores.
        even: Whether every objective with weight is drawn equally often.
    """

    signs: FloatArray
    order: tuple[int, ...]
    counts: IntArray
    scored: bool
    even: bool

    @classmethod
    def of(cls, candidates: Candidates, *, even: bool) -> Labels:
        """Return the labels of a table; without rows where there are none."""
        given, m = candidates.given, candidates.gains.shape[-1]
        if given is None or given.labels is None:
            return cls(np.zeros((0, m)), (), np.zeros(m, dtype=np.int64), False, even)
        order = tuple(sorted(range(m), key=lambda i: given.names[i]))
        signs = np.asarray(given.labels, dtype=np.float64)
        return cls(signs, order, (signs != 0).sum(axis=0), given.scored, even)

    @property
    def rows(self) -> int:
        """Return the number of labelled rows, which come first in the table."""
        return len(self.signs)

    def strata(self, weights: FloatArray) -> list[Stratum[IntArray]]:
        """Return the pairs of each objective with weight, and its share of the draws.

        Args:
            weights: Shape (m,).
        """
        shares = self._shares(weights)
        return [
            Stratum(shares[i], self._pairs(i)) for i in self.order if shares[i] > 0 and self.rows
        ]

    def factors(self, row: int, weights: FloatArray) -> FloatArray:
        """Return a drawn pair's factor in the mean loss over each D_i, shape (m,).

        A pair is drawn with probability q = sum_j v_j / |D_j| over the objectives j that label it,
        with v their shares of the draws; so with factor 1 / (|D_i| q) the mean over draws equals
        that over D_i, for any objective that a pair was drawn for. By hand: two objectives with 10
        and 30 pairs of their own, drawn evenly: q = 0.05 and 1/60, factors 2 and 2. Where both
        label the same pairs: q = 1/30, factors 1.

        Args:
            row: Index of the pair.
            weights: Weights at the draw, shape (m,).
        """
        labelled = self.signs[row] != 0
        each = np.maximum(self.counts, 1)
        drawn = float((self._shares(weights) / each)[labelled].sum())
        return np.where(labelled, 1.0 / (each * drawn), 0.0)

    def _shares(self, weights: FloatArray) -> FloatArray:
        if not self.even:
            return weights
        has = (weights > 0).astype(np.float64)
        return np.asarray(has / max(float(has.sum()), 1.0))

    def _pairs(self, objective: int) -> list[IntArray]:
        own = self.signs[:, objective]
        rows = np.flatnonzero(own)
        first = np.where(own[rows] > 0, 0, 1)
        return list(np.stack([rows, first, 1 - first], axis=-1).astype(np.int64))
