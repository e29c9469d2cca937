"""Predicts the change of a policy's gains by further training, from the continuations so far.

All gains here are normalised, 0 at the nadir and 1 at the ideal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray, History, IntArray, LaunchKind, WeightVector
from paretoflow.proposers.hyperbolas import fitted_hyperbolas, hyperbola
from paretoflow.proposers.ranges import normalised, normalised_errors

WIDTH, SPREAD = 0.1, 0.03
"""Distance in each objective within which continuations are neighbours, and the deviation of the
Gaussian by which their weight falls with distance. Both are doubled until there are enough."""
DISTINCT = 4
"""Required number of different weights among the neighbours: the model has four numbers."""
MOST = 256
"""Largest number of neighbours in a fit, the nearest ones."""
LATEST_CHANGES = 32
LEAST_RISE = 0.01
"""Rise of a weighted sum in a continuation, in shares of the ranges, below which it has converged.
"""
_BASE, _OPEN = -1, -2


@dataclass(frozen=True)
class PolicyChanges:
    """Continuations under fixed weights: the start, weights and change of gains of each.

    Args:
        starts: Normalised gains at its start, shape (n, m).
        weights: Shape (n, m).
        deltas: Change of the gains, shape (n, m).
    """

    starts: FloatArray
    weights: FloatArray
    deltas: FloatArray

    def __len__(self) -> int:
        """Return the number of continuations."""
        return len(self.starts)


def observed_changes(history: History, *, from_base: bool = True) -> PolicyChanges:
    """Return every continuation in a history, run by run.

    Each evaluation of a weighted run continues the one before. The first continues the parent, or
    the base model if that is evaluated. Constrained runs are left out: their weights move.

    By hand: the base at (0, 0), and a run towards (1, 0) from it that is evaluated twice, at
    (3, 0) and (4, -1), changed (3, 0) and (1, -1).

    Args:
        history: Ended runs and evaluations.
        from_base: Whether to include continuations of the base.
    """
    m = history.problem.m
    rows = {name: row for row, name in enumerate(history.snapshot_ids)}
    bases = np.flatnonzero(history.run_index == _BASE)
    base = int(bases[0]) if len(bases) else None
    weighted = [run.proposal.kind is LaunchKind.WEIGHTED for run in history.runs]
    by_run = np.argsort(history.run_index, kind="stable").tolist()
    pairs, last, last_run = [], None, _OPEN
    for row in by_run:
        run = int(history.run_index[row])
        if run < 0 or not weighted[run]:
            continue
        if run != last_run:
            parent = history.runs[run].proposal.parent
            last = base if parent is None else rows.get(parent)
        if last is not None and (from_base or last != base):
            pairs.append((last, row))
        last, last_run = row, run
    index = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    gains = normalised(history)
    towards = [history.runs[history.run_index[row]].proposal.weights.values for _, row in pairs]
    return PolicyChanges(
        starts=gains[index[:, 0]],
        weights=np.array(towards, dtype=np.float64).reshape(-1, m),
        deltas=gains[index[:, 1]] - gains[index[:, 0]],
    )


def still_rising(history: History) -> bool | None:
    """Return whether further training still improves policies; None without any continuation.

    The change is that of the weighted sum of the latest weighted runs, after their first checkpoint
    or after their parent. It counts as a rise if it exceeds the noise and, on average,
    `LEAST_RISE`.

    By hand: towards (.5, .5), from (.4, .4) to (.5, .4): .05 in the mean, so it rises.
    """
    changes = observed_changes(history, from_base=False)
    if not len(changes):
        return None
    weights = changes.weights[-LATEST_CHANGES:]
    rises = (weights * changes.deltas[-LATEST_CHANGES:]).sum(axis=1)
    errors = (normalised_errors(history) ** 2).mean(axis=0)
    doubt = np.sqrt(2 * (weights**2 @ errors).mean() / len(rises))
    return bool(rises.mean() > max(LEAST_RISE, 2 * doubt))


def weights_behind(history: History, row: int) -> WeightVector:
    """Return the weights that a policy was last trained towards; even ones if unknown."""
    run = int(history.run_index[row])
    m = history.problem.m
    return history.runs[run].proposal.weights if run >= 0 else WeightVector.of(np.ones(m))


def predicted_changes(
    changes: PolicyChanges, starts: FloatArray, candidates: Sequence[FloatArray]
) -> list[FloatArray] | None:
    """Return the predicted changes by continuations of policies, for some weights of each.

    The change of objective i is a hyperbolic tangent of its own weight w_i (`hyperbolas`), fitted
    to continuations of policies with about the same gains.

    Args:
        changes: Continuations so far.
        starts: Normalised gains of the policies, shape (p, m).
        candidates: Weights to continue each policy with, p arrays of shape (k, m).

    Returns:
        Changes, p arrays of shape (k, m); None if all continuations together had fewer than four
        different weights.

    References:
        Xu et al. (2020), Prediction-guided multi-objective reinforcement learning for continuous
        robot control (PGMORL), sec. 3.2 and its code. Departures: distances and their Gaussian are
        in units of the objectives' ranges instead of shares of the present gains, which fail at
        zero; at most 256 neighbours; bounds, start and outliers of the fit in normalised units.
    """
    near = [_neighbours(changes, start) for start in starts]
    found = [n for n in near if n is not None]
    if len(found) < len(near) or not found:
        return None
    m, most = starts.shape[1], max(len(index) for index, _ in found)
    x, y, shares = (np.zeros((len(found), m, most)) for _ in range(3))
    for policy, (index, share) in enumerate(found):
        x[policy, :, : len(index)] = changes.weights[index].T
        y[policy, :, : len(index)] = changes.deltas[index].T
        shares[policy, :, : len(index)] = share
    flat = (a.reshape(-1, most) for a in (x, y, shares))
    models = fitted_hyperbolas(*flat).reshape(-1, m, 4)
    return [hyperbola(w.T, model).T for w, model in zip(candidates, models, strict=True)]


def _neighbours(changes: PolicyChanges, start: FloatArray) -> tuple[IntArray, FloatArray] | None:
    """Return the indices of the neighbouring continuations, (k,), and their weights, (k,)."""
    if len(np.unique(changes.weights, axis=0)) < DISTINCT:
        return None
    away = np.abs(changes.starts - start)
    width, spread = WIDTH, SPREAD
    near = (away < width).all(axis=1)
    while len(np.unique(changes.weights[near], axis=0)) < DISTINCT:
        width, spread = 2 * width, 2 * spread
        near = (away < width).all(axis=1)
    distance = np.linalg.norm(away, axis=1)
    index = np.flatnonzero(near)
    index = index[np.argsort(distance[index], kind="stable")[:MOST]]
    return index, np.exp(-((distance[index] / spread) ** 2) / 2)
