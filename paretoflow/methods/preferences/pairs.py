"""Preference pairs from scored or labelled answers, for any weights and at any moment of a run.

Pairs are never stored as chosen and rejected: the table keeps every pair of distinct answers with
the difference of their scores, and the current weights decide, batch by batch, which pairs are
widest and which answer is better. So a run with moving weights needs no second data set, and is
exact from the first batch after a move.

A human-labelled pair has no scores. The loss over such pairs is the weighted sum of the objectives'
own losses, sum_i w_i mean over D_i of l, with D_i the pairs that objective i labels: so the weights
decide the objective of a draw, and its label decides the better answer. A pair with opposite labels
of two objectives is drawn for either, which amounts to the soft label of the weighted sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.protocols import Candidates
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.methods.preferences.draws import Draws, Stratum, by_source
from paretoflow.methods.preferences.effective import normalised, shares
from paretoflow.methods.preferences.labels import Labels

MARGIN_DECIMALS = 9
"""Margins are compared after rounding: the order of summation must not make or break a tie."""

Margins = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Pair:
    """A better and a worse answer to one prompt.

    Args:
        prompt: Index of the prompt.
        chosen, rejected: Indices of the answers among the prompt's candidates.
        difference: Standardised gains of chosen minus rejected, shape (m,). Of a labelled pair
            without scores: 1 where an objective prefers the chosen, -1 the rejected, 0 neither.
        factors: Factor of the pair in the mean loss of each objective over its own pairs, shape
            (m,); None for a factor of 1 in all.
    """

    prompt: int
    chosen: int
    rejected: int
    difference: FloatArray
    factors: FloatArray | None = None


def weighted_margins(differences: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weighted sums of score differences: (P, K, m) and (m,) to (P, K)."""
    margins: FloatArray = (differences * weights).sum(axis=2)
    return margins


class PairTable:
    """All pairs of distinct answers to each prompt: P prompts, K = C(C-1)/2 pairs, m objectives.

    Args:
        pairs_per_prompt: Pairs taken from each prompt, widest margins first.
        margins: Maps score differences, shape (P, K, m), and weights, (m,), to margins, (P, K);
            their sign decides the better answer.
        even: Whether every objective with weight gets equally many of the labelled pairs, for a
            method that weights the objectives' losses itself.
    """

    def __init__(
        self,
        candidates: Candidates,
        pairs_per_prompt: int,
        margins: Margins | None = None,
        *,
        even: bool = False,
    ) -> None:
        self._labels = Labels.of(candidates, even=even)
        self._margins = margins or weighted_margins
        self._candidates = candidates
        self._per_prompt = pairs_per_prompt
        self._scores = candidates.standardised
        self._first, self._second = np.triu_indices(self._scores.shape[1], k=1)
        self._differences = self._scores[:, self._first] - self._scores[:, self._second]
        self._distinct = _distinct_answers(candidates, self._first, self._second)

    @property
    def spread(self) -> FloatArray:
        """Return the standard deviation of the score differences, at least 1e-8, shape (m,).

        Over all distinct pairs, each in both orders, so the mean is zero; independent of weights.
        """
        squares = np.square(self._differences) * self._distinct[:, :, None]
        mean = squares.sum(axis=(0, 1)) / max(int(self._distinct.sum()), 1)
        spread: FloatArray = np.maximum(np.sqrt(mean), 1e-8)
        return spread

    def ranked(self, weights: FloatArray) -> IntArray:
        """Return (prompt, chosen, rejected) of the widest scored pairs under the weights, (n, 3).

        Prompts in order, widest margin first, earlier answers first among equals; ties and labelled
        rows give no pair.

        Args:
            weights: Shape (m,).
        """
        margins = np.round(self._margins(self._differences, weights), MARGIN_DECIMALS)
        margins[~self._distinct] = 0.0
        margins[: self._labels.rows] = 0.0
        order = np.argsort(-np.abs(margins), axis=1, kind="stable")[:, : self._per_prompt]
        top = np.take_along_axis(margins, order, axis=1)
        first, second = self._first[order], self._second[order]
        prompts = np.broadcast_to(np.arange(len(margins))[:, None], order.shape)
        better, worse = np.where(top > 0, first, second), np.where(top > 0, second, first)
        rows = np.stack([prompts, better, worse], axis=-1)[top != 0]
        return rows.astype(np.int64)

    def strata(self, weights: FloatArray) -> list[Stratum[IntArray]]:
        """Return the pairs to draw as (prompt, chosen, rejected), by objective and by source.

        Args:
            weights: Shape (m,).
        """
        given = self._candidates.given
        labelled = self._labels.strata(weights) if given is not None else []
        scored = by_source(self._candidates, list(self.ranked(weights)), lambda row: int(row[0]))
        share = given.share if given is not None else 0.0
        return [*(Stratum(share * s.share, s.items) for s in labelled), *scored]

    def effective(
        self,
        weights: FloatArray,
        factors: FloatArray | None = None,
        ranking: FloatArray | None = None,
    ) -> FloatArray | None:
        """Return each objective's share in the margins of the pairs under the weights, shape (m,).

        For labelled pairs without scores it is the objective's share of the draws.

        Args:
            weights: Shape (m,).
            factors: Each prompt's own weights, shape (P, m), in place of `weights`.
            ranking: The weights that rank the pairs, shape (m,); None uses `weights`.
        """
        given = self._candidates.given
        rows = self.ranked(weights if ranking is None else ranking)
        if given is None or given.labels is None:
            return self._shares(rows, weights if factors is None else factors[rows[:, 0]])
        asked = self._labels.strata(weights if ranking is None else ranking)
        drawn = normalised(weights) if asked else None
        if given.scored and asked:
            drawn = self._shares(np.concatenate([s.items for s in asked]), weights)
        parts = (given.share, drawn), (1.0 - given.share, self._shares(rows, weights))
        there = [share * found for share, found in parts if found is not None]
        return normalised(np.sum(there, axis=0)) if there else None

    def _shares(self, rows: IntArray, weights: FloatArray) -> FloatArray | None:
        prompts, chosen, rejected = rows.T
        return shares(self._scores[prompts, chosen] - self._scores[prompts, rejected], weights)

    def pair(self, row: IntArray, weights: FloatArray) -> Pair:
        """Return a pair of `strata` with its score difference, or with its labels.

        Args:
            row: (prompt, chosen, rejected).
            weights: Weights at the draw, shape (m,).
        """
        prompt, chosen, rejected = (int(v) for v in row)
        labels, scores = self._labels, self._scores[prompt]
        if prompt >= labels.rows or labels.scored:
            return Pair(prompt, chosen, rejected, scores[chosen] - scores[rejected])
        signs = labels.signs[prompt] * (1 if chosen == 0 else -1)
        factors = labels.factors(prompt, weights) if labels.even else None
        return Pair(prompt, chosen, rejected, signs, factors)

    def example(self, pair: Pair) -> dict[str, Any]:
        """Return the pair as a row of TRL's preference collator, with the reference's values."""
        table = self._candidates
        return {
            "prompt_ids": list(table.prompt_ids[pair.prompt]),
            "chosen_ids": list(table.completion_ids[pair.prompt][pair.chosen]),
            "rejected_ids": list(table.completion_ids[pair.prompt][pair.rejected]),
            "ref_chosen_logps": float(table.ref_logprobs[pair.prompt, pair.chosen]),
            "ref_rejected_logps": float(table.ref_logprobs[pair.prompt, pair.rejected]),
        }


class PairStream:
    """Order of one run's pairs; see `draws.Draws`."""

    def __init__(self, table: PairTable, seed: int) -> None:
        self.table = table
        self._draws = Draws(table.strata, seed)

    def draw(self, numbers: Sequence[int], weights: FloatArray) -> list[Pair]:
        """Return the pairs of the given draws under the weights.

        Raises:
            MethodError: If no prompt has two answers with different weighted scores.
        """
        rows = self._draws.draw(numbers, weights)
        return [self.table.pair(row, weights) for row in rows]


def _distinct_answers(
    candidates: Candidates, first: IntArray, second: IntArray
) -> NDArray[np.bool_]:
    found = np.array(
        [
            [row[a] != row[b] for a, b in zip(first, second, strict=True)]
            for row in candidates.completion_ids
        ],
        dtype=bool,
    ).reshape(len(candidates.completion_ids), len(first))
    return found if candidates.counts is None else found & (second < candidates.counts[:, None])
