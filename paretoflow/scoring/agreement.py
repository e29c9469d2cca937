"""Agreement of a policy with human preferences, on held-out pairs."""

from __future__ import annotations

import numpy as np

from paretoflow.core.candidates import Candidates, Given
from paretoflow.core.values import FloatArray

ACCURACY = "pair_accuracy/"
"""Prefix of an objective's name in an evaluation's diagnostics."""


def agreement(table: Candidates, given: Given, logprobs: FloatArray) -> dict[str, float]:
    """Return `pair_accuracy/NAME` of each objective that has feedback.

    Of the pairs that the objective distinguishes, this is the share in which the better answer
    gained more than the worse: log pi(w) - log ref(w) > log pi(l) - log ref(l), the accuracy of the
    implicit reward. A pair that did not move counts as wrong.

    By hand: gains of likelihood (1, 0) and (-2, -1) in two pairs, the first answer being the better
    for `a` in both: 0.5; for `b`, which labels the second pair alone and the other way round: 1.

    Args:
        table: Of labelled pairs or rated answers.
        given: Feedback on the answers.
        logprobs: The policy's, shape (P, C).
    """
    counts = np.full(len(logprobs), logprobs.shape[1]) if table.counts is None else table.counts
    gained = logprobs - table.ref_logprobs
    if given.labels is not None:
        apart = np.asarray(given.labels, dtype=np.float64)
        moved = gained[:, 0] - gained[:, 1]
    else:
        first, second = np.triu_indices(logprobs.shape[1], k=1)
        there = second < counts[:, None]
        apart = (table.gains[:, first] - table.gains[:, second])[there]
        moved = (gained[:, first] - gained[:, second])[there]
    right = np.sign(apart) * np.sign(moved)[:, None] > 0
    told = apart != 0
    return {
        f"{ACCURACY}{name}": float(right[told[:, i], i].mean())
        for i, name in enumerate(given.names)
        if told[:, i].any()
    }
