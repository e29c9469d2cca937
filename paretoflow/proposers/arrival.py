"""Checks whether runs have converged at their end, and estimates the gain of a further run.

All gains here are normalised, 0 at the nadir and 1 at the ideal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray, History, IntArray, LaunchKind
from paretoflow.proposers.improvements import LEAST_RISE
from paretoflow.proposers.ranges import normalised, normalised_errors

ERRORS = 2.0
"""Number of standard errors that a mean rise must exceed to count."""
UNKNOWN = 0.5
"""Rise of a run's next half relative to its last half, if the base is not evaluated."""
_BASE = -1


@dataclass(frozen=True)
class Ends:
    """Changes of gains over the last part of each weighted run from the base.

    Args:
        rows: Row of each run's last evaluation, shape (n,).
        weights: Shape (n, m).
        changes: Gains added since the checkpoint half-way, shape (n, m).
        errors: Standard errors of the changes, shape (n, m).
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
        """Return whether runs end too early: their weighted sums still rise, beyond the noise.

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
        """Return the ratio of a half's rise to that of the half before, over all runs so far.

        By hand: a run that rose by .2 to half-way and by .1 to its end gives one half.
        """
        early, late = ((self.weights * c).sum() for c in (self.before, self.changes))
        if not np.isfinite(early) or early <= 0:
            return UNKNOWN
        return float(np.clip(late / early, 0.0, 1.0))


@dataclass(frozen=True)
class Further:
    """Known or expected changes by one more run, for its start and its weights.

    Args:
        places: Gains where the run begins, shape (n, m).
        weights: Shape (n, m).
        changes: Change of the gains by the run, shape (n, m).
    """

    places: FloatArray
    weights: FloatArray
    changes: FloatArray

    def options(self) -> list[tuple[float, ...]]:
        """Return the weights with known changes, each once."""
        return list(dict.fromkeys(map(tuple, self.weights.tolist())))

    def after(self, starts: FloatArray, weights: tuple[float, ...]) -> FloatArray:
        """Return the known change nearest to each start, the latest of equally near ones.

        Args:
            starts: Gains, shape (n, m).
            weights: Of the run; weights without a known change give no change.

        Returns:
            Shape (n, m).
        """
        own = np.flatnonzero((self.weights == np.array(weights)).all(axis=1))[::-1]
        if not len(own):
            return np.zeros(starts.shape)
        away = np.abs(self.places[own][None] - starts[:, None]).max(axis=2)
        nearest = own[away.round(9).argmin(axis=1)]
        return np.asarray(self.changes[nearest], dtype=np.float64)


def further_of(history: History, left: float) -> Further:
    """Return the changes by further runs: observed from a parent, or expected from a run's end.

    From the end of a weighted run, a further run should add two more halves, each with the share
    `left` of the half before. A standard error is subtracted from an objective's change, so that
    noise alone changes nothing.

    By hand: (.2, 0) since half-way without noise, and half is left: .2 * (.5 + .25) = .15 more.

    Args:
        history: Ended runs and evaluations.
        left: See `Ends.left`.
    """
    gains, errors = normalised(history), normalised_errors(history)
    rows = {name: row for row, name in enumerate(history.snapshot_ids)}
    found: list[tuple[int, tuple[float, ...], int, int, float]] = []
    for run, record in enumerate(history.runs):
        proposal = record.proposal
        own = np.flatnonzero(history.run_index == run)
        if proposal.kind is not LaunchKind.WEIGHTED or not len(own):
            continue
        last, weights = int(own[-1]), proposal.weights.values
        if len(own) > 1:
            found.append((last, weights, _half_way(own), last, left + left**2))
        parent = rows.get(proposal.parent or "")
        if parent is not None:
            found.append((parent, weights, parent, last, 1.0))
    m = history.problem.m
    place, begin, end = (
        np.array([[f[0], f[2], f[3]] for f in found], dtype=np.int64).reshape(-1, 3).T
    )
    changes = gains[end] - gains[begin]
    doubt = np.hypot(errors[end], errors[begin])
    sure = np.sign(changes) * np.maximum(np.abs(changes) - doubt, 0.0)
    shares = np.array([f[4] for f in found]).reshape(-1, 1)
    weighted = np.array([f[1] for f in found], dtype=np.float64).reshape(-1, m)
    return Further(gains[place], weighted, shares * sure)


def ends_of(history: History) -> Ends:
    """Return the changes over the last part of each weighted run from the base.

    Runs with one checkpoint are left out, and so are runs that continued a parent.
    """
    gains, errors = normalised(history), normalised_errors(history)
    pairs, weights = [], []
    for run, record in enumerate(history.runs):
        proposal = record.proposal
        if proposal.kind is not LaunchKind.WEIGHTED or proposal.parent is not None:
            continue
        rows = np.flatnonzero(history.run_index == run)
        if len(rows) > 1:
            pairs.append((_half_way(rows), int(rows[-1])))
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


def _half_way(rows: IntArray) -> int:
    """Return the row of a run's checkpoint half-way; the run has two or more rows, in order."""
    return int(rows[len(rows) // 2 - 1])
