"""Preference pairs from scored candidates, for any weights and at any moment of a run.

Pairs are never stored as chosen and rejected: the table keeps every pair of distinct answers with
the difference of their scores, and the weights in force decide, batch by batch, which pairs are
widest and which answer is the better. So a run whose weights move needs no second data set, and is
exact from the first batch after the move.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.protocols import Candidates
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.methods.preferences.draws import Draws
from paretoflow.methods.preferences.effective import shares

MARGIN_DECIMALS = 9
"""Margins are compared after rounding: the order of summation must not make or break a tie."""

Margins = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Pair:
    """A better and a worse answer to one prompt.

    Args:
        prompt: Index of the prompt.
        chosen, rejected: Indices of the answers among the prompt's candidates.
        difference: Standardised gains of chosen minus rejected, shape (m,).
    """

    prompt: int
    chosen: int
    rejected: int
    difference: FloatArray


def weighted_margins(differences: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weighted sums of score differences: (P, K, m) and (m,) to (P, K)."""
    margins: FloatArray = (differences * weights).sum(axis=2)
    return margins


class PairTable:
    """All pairs of distinct answers to each prompt: P prompts, K = C(C-1)/2 pairs, m objectives.

    Args:
        pairs_per_prompt: Pairs taken from each prompt, widest margins first.
        margins: Score differences, shape (P, K, m), and weights, (m,), to margins, (P, K); their
            sign says which answer is the better.
    """

    def __init__(
        self, candidates: Candidates, pairs_per_prompt: int, margins: Margins | None = None
    ) -> None:
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

        Over all distinct pairs, each in both orders, so the mean is zero; no weights enter.
        """
        squares = np.square(self._differences) * self._distinct[:, :, None]
        mean = squares.sum(axis=(0, 1)) / max(int(self._distinct.sum()), 1)
        spread: FloatArray = np.maximum(np.sqrt(mean), 1e-8)
        return spread

    def ranked(self, weights: FloatArray) -> IntArray:
        """Return (prompt, chosen, rejected) of the widest pairs under the weights, shape (n, 3).

        Prompts in order, widest margin first, earlier answers first among equals; a tie gives no
        pair.

        Args:
            weights: Shape (m,).
        """
        margins = np.round(self._margins(self._differences, weights), MARGIN_DECIMALS)
        margins[~self._distinct] = 0.0
        order = np.argsort(-np.abs(margins), axis=1, kind="stable")[:, : self._per_prompt]
        top = np.take_along_axis(margins, order, axis=1)
        first, second = self._first[order], self._second[order]
        prompts = np.broadcast_to(np.arange(len(margins))[:, None], order.shape)
        better, worse = np.where(top > 0, first, second), np.where(top > 0, second, first)
        rows = np.stack([prompts, better, worse], axis=-1)[top != 0]
        return rows.astype(np.int64)

    def effective(
        self,
        weights: FloatArray,
        factors: FloatArray | None = None,
        ranking: FloatArray | None = None,
    ) -> FloatArray | None:
        """Return each objective's share in the margins of the pairs under the weights, shape (m,).

        Args:
            weights: Shape (m,).
            factors: In their place, each prompt's own, shape (P, m).
            ranking: The weights that rank the pairs, shape (m,); None: those.
        """
        rows = self.ranked(weights if ranking is None else ranking)
        prompts, chosen, rejected = rows.T
        apart = self._scores[prompts, chosen] - self._scores[prompts, rejected]
        return shares(apart, weights if factors is None else factors[prompts])

    def pair(self, row: IntArray) -> Pair:
        """Return one row of `ranked` with its score difference."""
        prompt, chosen, rejected = (int(v) for v in row)
        scores = self._scores[prompt]
        return Pair(prompt, chosen, rejected, scores[chosen] - scores[rejected])

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
    """The order in which one run meets its pairs; see `draws.Draws`."""

    def __init__(self, table: PairTable, seed: int) -> None:
        self.table = table
        self._draws = Draws(lambda weights: list(table.ranked(weights)), seed)

    def draw(self, numbers: Sequence[int], weights: FloatArray) -> list[Pair]:
        """Return the pairs of the given draws under the weights.

        Raises:
            MethodError: If no prompt has two answers that the weights tell apart.
        """
        return [self.table.pair(row) for row in self._draws.draw(numbers, weights)]


def _distinct_answers(
    candidates: Candidates, first: IntArray, second: IntArray
) -> NDArray[np.bool_]:
    return np.array(
        [
            [row[a] != row[b] for a, b in zip(first, second, strict=True)]
            for row in candidates.completion_ids
        ],
        dtype=bool,
    ).reshape(len(candidates.completion_ids), len(first))
