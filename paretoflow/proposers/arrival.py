"""Decides whether runs end where they arrive, and how far a further run would go.

All gains here are normalised, 0 at the nadir and 1 at the ideal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray, History, IntArray, LaunchKind
from paretoflow.proposers.boxes import scale_of
from paretoflow.proposers.improvements import LEAST_RISE

ERRORS = 2.0
"""Standard errors that a mean rise must exceed to count."""
UNKNOWN = 0.5
"""Share of its rise that a run's next half has, where the base cannot tell."""
_BASE = -1


@dataclass(frozen=True)
class Ends:
    """What the last part of each weighted run from the base changed.

    Args:
        rows: Row of each run's last evaluation, shape (n,).
        weights: Shape (n, m).
        changes: Gains added since the checkpoint half-way, shape (n, m).
        errors: Standard errors of these, shape (n, m).
        before: Gains added from the base to that checkpoint, shape (n, m); nan if the base is not
            evaluated.
    """

    rows: IntArray
    weights: FloatArray
    changes: FloatArray
    errors: FloatArray
    before: FloatArray

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

    @property
    def left(self) -> float:
        """Return how much of a half's rise the next half has: that of the runs so far, in all.

        By hand: a run that rose by .2 to half-way and by .1 to its end has half of it left.
        """
        early, late = ((self.weights * c).sum() for c in (self.before, self.changes))
        if not np.isfinite(early) or early <= 0:
            return UNKNOWN
        return float(np.clip(late / early, 0.0, 1.0))

    def further(self) -> dict[tuple[float, ...], FloatArray]:
        """Return, by weights, what one more run towards them should add to gains, (m,) each.

        Two more halves, each with the share of the one before that is left; each objective's change
        counts less a standard error, so that noise moves nothing.

        By hand: (.2, 0) since half-way without noise, and half is left: .2 * (.5 + .25) = .15 more.
        """
        sure = np.sign(self.changes) * np.maximum(np.abs(self.changes) - self.errors, 0.0)
        changes = (self.left + self.left**2) * sure
        return dict(zip(map(tuple, self.weights.tolist()), changes, strict=True))


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
    middle, last = index[:, 0], index[:, 1]
    base = gains[history.run_index == _BASE][:1]
    start = base[0] if len(base) else np.full(m, np.nan)
    return Ends(
        rows=last,
        weights=np.array(weights, dtype=np.float64).reshape(-1, m),
        changes=gains[last] - gains[middle],
        errors=np.hypot(errors[last], errors[middle]),
        before=gains[middle] - start,
    )
