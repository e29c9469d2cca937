"""Run configurations as inputs of a model: weights, then the places of settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.settings import Settings
from paretoflow.core.values import FloatArray, History, LaunchKind, Proposal, WeightVector
from paretoflow.proposers.gaussian import POSTERIOR_POINTS, GainModel, GaussianProcess
from paretoflow.proposers.kernels import Kernel, fitted_kernel, spread_part
from paretoflow.proposers.ranges import normalised, normalised_errors
from paretoflow.spec.search import Axis

APART = 1e-3
"""Distance in every dimension below which a configuration repeats a launch."""
REDRAWN, WAYS = 12, 6
"""Number of runs that are offered with other decoding at a choice, and of ways for each."""
NEW_RUNS = 4
"""Number of new runs after which kernels are chosen again; among the first few runs, after each."""


@dataclass(frozen=True)
class KnownPoints:
    """Configurations of a history, and the model fitted to them.

    Args:
        points: Configurations of the runs that the model is fitted to, shape (n, d).
        model: Model of normalised gains.
        others: Normalised gains of front points outside the model, shape (k, m).
        taken: Configurations of all ended runs, failed ones included, shape (r, d).
        snapshots: Checkpoints at which the points were evaluated, length n.
        on_front: Mask of the points that are on the front, shape (n,).
    """

    points: FloatArray
    model: GainModel
    others: FloatArray
    taken: FloatArray
    snapshots: tuple[str, ...]
    on_front: NDArray[np.bool_]


class KernelMemory:
    """Cache of the latest kernels, which are chosen again only every few runs.

    Only the first runs decide on the kernels, so that the result is the same without the cache.
    """

    def __init__(self) -> None:
        self._of: tuple[bytes, ...] = ()
        self._kernels: tuple[Kernel, ...] = ()

    def model_of(self, points: FloatArray, gains: FloatArray, stderr: FloatArray) -> GainModel:
        """Return a model of runs.

        Args:
            points: Configurations, shape (n, d).
            gains: Normalised gains, shape (n, m).
            stderr: Standard errors of the gains, shape (n, m).
        """
        count = len(points) - (len(points) % NEW_RUNS if len(points) > 2 * NEW_RUNS else 0)
        first = (points[:count], gains[:count], stderr[:count])
        of = tuple(part.tobytes() for part in first)
        columns = list(zip(gains.T, stderr.T, strict=True))
        if of != self._of or not self._kernels:
            fits = (fitted_kernel(first[0], g[:count], e[:count]) for g, e in columns)
            self._of, self._kernels = of, tuple(fits)
        pairs = zip(self._kernels, columns, strict=True)
        return GainModel(tuple(GaussianProcess.conditioned(k, points, *c) for k, c in pairs))


def known_runs(history: History, axes: Sequence[Axis], memory: KernelMemory) -> KnownPoints:
    """Return the runs from the base, by their last evaluations, and a model of them."""
    m = history.problem.m
    last = {run: row for row, run in enumerate(history.run_index.tolist()) if run >= 0}
    fits = [i for i, run in enumerate(history.runs) if is_point(run.proposal, axes)]
    taken = points_of((history.runs[i].proposal for i in fits), axes, m)
    ended = np.array([k for k, i in enumerate(fits) if i in last], dtype=np.int64)
    ended = ended[spread_part(taken[ended], POSTERIOR_POINTS)]
    rows = np.array([last[fits[k]] for k in ended], dtype=np.int64)
    gains = normalised(history)
    model = memory.model_of(taken[ended], gains[rows], normalised_errors(history)[rows])
    others = gains[np.setdiff1d(history.front, rows)]
    snapshots = tuple(history.snapshot_ids[row] for row in rows)
    return KnownPoints(taken[ended], model, others, taken, snapshots, np.isin(rows, history.front))


def is_point(proposal: Proposal, axes: Sequence[Axis]) -> bool:
    """Return whether a launch is a configuration, with a value on every axis.

    Such a launch trains from the base, or evaluates one trained adapter with other decoding.
    """
    names = {name for name, _ in proposal.settings}
    trains = proposal.kind is LaunchKind.WEIGHTED and proposal.parent is None
    asks = proposal.merge is not None and len(proposal.merge.parents) == 1
    return (trains or asks) and all(axis.name in names for axis in axes)


def points_of(proposals: Iterable[Proposal], axes: Sequence[Axis], m: int) -> FloatArray:
    """Return the configurations among launches, shape (n, m + axes)."""
    points = [point_of(p.weights, p.settings, axes) for p in proposals if is_point(p, axes)]
    return np.array(points, dtype=np.float64).reshape(-1, m + len(axes))


def point_of(weights: WeightVector, settings: Settings, axes: Sequence[Axis]) -> FloatArray:
    """Return weights, then the place of each setting along its axis, shape (d,).

    By hand: (.7, .3) with rank 8 of 4, 8 and 16 is (.7, .3, .5).
    """
    values = dict(settings)
    return np.array([*weights.values, *(axis.place(values[axis.name]) for axis in axes)])


@dataclass(frozen=True)
class Offer:
    """A configuration that can be launched.

    Args:
        point: Its exact place, shape (d,).
        source: Checkpoint to evaluate with other decoding; empty for a training.
    """

    weights: WeightVector
    settings: Settings
    point: FloatArray
    source: str = ""


def offer_near(point: FloatArray, axes: Sequence[Axis], source: str = "") -> Offer:
    """Return the launchable configuration nearest to a point, shape (d,)."""
    m = len(point) - len(axes)
    weights = WeightVector.of(point[:m])
    places = zip(axes, point[m:].tolist(), strict=True)
    settings = tuple((axis.name, axis.value(place)) for axis, place in places)
    return Offer(weights, settings, point_of(weights, settings, axes), source)


def redraws(known: KnownPoints, axes: Sequence[Axis], rng: np.random.Generator) -> list[Offer]:
    """Return offers of the runs on the front, each with some other decoding settings.

    Training does not depend on decoding, so such a configuration uses the adapter of its run.
    """
    decoding = [axis.home == "generation" for axis in axes]
    m = known.points.shape[1] - len(axes)
    chosen = np.flatnonzero(known.on_front)
    chosen = chosen[spread_part(known.points[chosen], REDRAWN)]
    offers = []
    for index in chosen:
        for _ in range(WAYS):
            point = known.points[index].copy()
            point[m:] = np.where(decoding, rng.random(len(axes)), point[m:])
            offers.append(offer_near(point, axes, known.snapshots[index]))
    return offers


def repeats(points: FloatArray, taken: FloatArray) -> NDArray[np.bool_]:
    """Return a mask of the points (q, d) that repeat one of the taken (n, d), shape (q,)."""
    if not len(taken):
        return np.zeros(len(points), dtype=bool)
    gaps = np.abs(points[:, None, :] - taken[None, :, :]).max(axis=2)
    found: NDArray[np.bool_] = gaps.min(axis=1) < APART
    return found
