"""Binary labels: answers labelled good or bad by their weighted score, with prompt odds.

Good answers come from some prompts more than from others. A classifier of prompts estimates the
odds, and bad answers are weighted by them, so that both kinds have the same distribution of
prompts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.protocols import Candidates
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.methods.preferences.draws import Stratum, by_source
from paretoflow.methods.preferences.effective import shares
from paretoflow.methods.preferences.lists import distinct
from paretoflow.methods.preferences.pairs import MARGIN_DECIMALS

BUCKETS = 256
"""Token ids are counted modulo this, which bounds the classifier's size."""
NEWTON_STEPS = 25


@dataclass(frozen=True)
class Thumb:
    """An answer that is good or bad.

    Args:
        prompt: Index of the prompt.
        answer: Index among its candidates.
        good: Whether its weighted score is above the threshold of its prompt, or of all.
        odds: Odds of the prompt among good answers to that among bad ones.
    """

    prompt: int
    answer: int
    good: bool
    odds: float


class ThumbTable:
    """All distinct answers to each prompt, labelled for any weights.

    Each prompt has a threshold of its own: with one for all, an easy prompt has good answers only,
    and training learns which prompts are easy. (Candidates in the `global` standard have one, as
    earlier versions did.) A prompt whose answers all score the same has no labels.

    Args:
        quantile: Share of the answers that are bad.
    """

    def __init__(self, candidates: Candidates, quantile: float) -> None:
        self._candidates = candidates
        self._quantile = quantile
        self._of_prompts = candidates.standard != "global"
        self._scores = candidates.standardised
        answers = [distinct(candidates, prompt) for prompt in range(len(self._scores))]
        self._prompts = np.repeat(np.arange(len(answers)), [len(row) for row in answers])
        self._answers = np.concatenate(answers)
        self._features = prompt_features(candidates)

    def labelled(self, weights: FloatArray) -> list[Thumb]:
        """Return all labelled answers, prompts in order; none if the weights distinguish none.

        Args:
            weights: Shape (m,).
        """
        good, known = self._labels(weights)
        if not known.any():
            return []
        odds = self._odds(good, known)
        rows = zip(self._prompts[known], self._answers[known], good[known], strict=True)
        return [Thumb(int(p), int(a), bool(g), float(odds[p])) for p, a, g in rows]

    def strata(self, weights: FloatArray) -> list[Stratum[Thumb]]:
        """Return the answers of `labelled` to draw, by source."""
        return by_source(self._candidates, self.labelled(weights), lambda thumb: thumb.prompt)

    def effective(self, weights: FloatArray) -> FloatArray | None:
        """Return each objective's share in the difference of good and bad answers, shape (m,).

        The difference is between a prompt's mean good and mean bad answer, or between those of all
        answers.
        """
        good, known = self._labels(weights)
        scores = self._scores[self._prompts, self._answers]
        groups = self._groups() if self._of_prompts else [np.arange(len(scores))]
        apart = [
            scores[rows][good[rows]].mean(axis=0) - scores[rows][~good[rows]].mean(axis=0)
            for rows in groups
            if known[rows].any()
        ]
        return shares(np.array(apart), weights)

    def _labels(self, weights: FloatArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return masks of the good answers, and of the labelled ones, shape (n,) each."""
        weighted = (self._scores * weights).sum(axis=2)[self._prompts, self._answers]
        weighted = np.round(weighted, MARGIN_DECIMALS)
        if not self._of_prompts:
            good = above(weighted, self._quantile)
            return good, np.full(len(good), not good.all())
        good, known = np.zeros((2, len(weighted)), dtype=bool)
        for rows in self._groups():
            good[rows] = above(weighted[rows], self._quantile)
            known[rows] = not good[rows].all()
        return good, known

    def _groups(self) -> list[IntArray]:
        """Return the positions of each prompt's answers."""
        ends = np.flatnonzero(np.diff(self._prompts)) + 1
        return np.split(np.arange(len(self._prompts)), ends)

    def _odds(self, good: NDArray[np.bool_], known: NDArray[np.bool_]) -> FloatArray:
        """Return the odds of good to bad of each prompt, with equal total weight of both kinds."""
        count = len(self._features)
        ups = np.bincount(self._prompts, weights=good & known, minlength=count)
        downs = np.bincount(self._prompts, weights=~good & known, minlength=count)
        half = count / 2
        theta = fit_logistic(self._features, ups * half / ups.sum(), downs * half / downs.sum())
        odds: FloatArray = np.exp(self._features @ theta)
        return odds


def above(scores: FloatArray, quantile: float) -> NDArray[np.bool_]:
    """Return a mask of the scores, shape (n,), above their quantile, or of a tie at the top.

    By hand: (1, 2, 3, 4) at 0.5 gives the last two; (0, 1, 1) at 0.5, whose quantile is 1 with
    nothing above it, gives the last two; all scores are above only if all are equal.
    """
    threshold = np.quantile(scores, quantile)
    return scores >= threshold if threshold >= scores.max() else scores > threshold


def prompt_features(candidates: Candidates) -> FloatArray:
    """Return a constant and each prompt's token counts, of unit length, shape (P, 1 + BUCKETS)."""
    features = np.zeros((len(candidates.prompt_ids), 1 + BUCKETS))
    for row, ids in zip(features, candidates.prompt_ids, strict=True):
        counts = np.bincount(np.array(ids, dtype=np.int64) % BUCKETS, minlength=BUCKETS)
        row[0] = 1.0
        row[1:] = counts / max(float(np.linalg.norm(counts)), 1.0)
    return features


def fit_logistic(features: FloatArray, ups: FloatArray, downs: FloatArray) -> FloatArray:
    """Return the coefficients of a logistic classifier, by Newton's method, shape (d,).

    They minimise sum_p ups_p log(1 + e^-f_p) + downs_p log(1 + e^f_p) + |theta|^2 / 2 with f =
    features theta. By hand: one feature, which is 1, with ups 1 and downs 0: theta = s(-theta) =
    0.401058.

    Args:
        features: Shape (P, d).
        ups: Weight of the good answers to each prompt, shape (P,).
        downs: Weight of the bad ones, shape (P,).
    """
    theta = np.zeros(features.shape[1])
    for _ in range(NEWTON_STEPS):
        likely = 1.0 / (1.0 + np.exp(-features @ theta))
        gradient = features.T @ ((ups + downs) * likely - ups) + theta
        curvature = (ups + downs) * likely * (1.0 - likely)
        hessian = (features.T * curvature) @ features + np.eye(len(theta))
        theta = theta - np.linalg.solve(hessian, gradient)
    return theta
