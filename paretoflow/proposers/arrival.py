"""Decides whether runs end where they arrive, and which policies a further run would lift outward.

All gains here are normalised, 0 at the nadir and 1 at the ideal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray, History, IntArray, LaunchKind
from paretoflow.proposers.boxes import scale_of
from paretoflow.proposers.improvements import LEAST_RISE

ERRORS = 2.0
"""Standard errors that a mean rise, or a fall, must exceed to count."""


@dataclass(frozen=True)
class Ends:
    """What the last part of each weighted run from the base changed.

    Args:
        rows: Row of each run's last evaluation, shape (n,).
        weights: Shape (n, m).
        changes: Gains added since the checkpoint half-way, shape (n, m).
        errors: Standard errors of these, shape (n, m).
    """

    rows: IntArray
    weights: FloatArray
    changes: FloatArray
    errors: FloatArray

    @property
    def rising(self) -> bool:
        """Return whether runs end before they arrive: weighted sums still rise, beyond the noise.

        By hand: towards (.5, .5), from (.4, .4) half-way to (.5, .4): .05 in the mean, so they do.
        """
        if not len(self.rows):
            return False
        rises = (self.weights * self.changes).sum(axis=1)
        variance = (self.weights**2 * self.errors**2).sum(axis=1)
        doubt = ERRORS * float(np.sqrt(variance.sum())) / len(rises)
        return bool(rises.mean() > max(LEAST_RISE, doubt))

    def outward(self, *, surely: bool = False) -> IntArray:
        """Return the rows of policies that rose and gave nothing up: a further run lifts them so.

        By hand: from (.2, .4) to (.4, .6) counts, surely; from (.6, .1) to (.9, .0) went along the
        front.

        Args:
            surely: Only those that rose in every objective; else noise may hide that one fell.
        """
        errors = ERRORS * self.errors if surely else -self.errors
        least = np.maximum(LEAST_RISE, errors) if surely else np.minimum(-LEAST_RISE, errors)
        kept = (self.changes >= least).all(axis=1)
        rises = (self.weights * self.changes).sum(axis=1)
        doubt = np.sqrt((self.weights**2 * self.errors**2).sum(axis=1))
        rose = rises > np.maximum(LEAST_RISE, ERRORS * doubt)
        return np.asarray(self.rows[rose & kept], dtype=np.int64)


def ends_of(history: History) -> Ends:
    """Return what the last part of each weighted run from the base changed.

    Runs with one checkpoint tell nothing, nor do those that went on from a parent.
    """
    scale = scale_of(history)
    gains, errors = (history.gains - history.nadir) / scale, history.stderr / scale
    pairs, weights = [], []
    for run, record in enumerate(history.runs):
        proposal = record.proposal
        if proposal.kind is not LaunchKind.WEIGHTED or proposal.parent is not None:
            continue
        rows = np.flatnonzero(history.run_index == run)
        if len(rows) > 1:
            pairs.append((rows[len(rows) // 2 - 1], rows[-1]))
            weights.append(proposal.weights.values)
    m = history.problem.m
    index = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    before, last = index[:, 0], index[:, 1]
    return Ends(
        rows=last,
        weights=np.array(weights, dtype=np.float64).reshape(-1, m),
        changes=gains[last] - gains[before],
        errors=np.hypot(errors[last], errors[before]),
    )
