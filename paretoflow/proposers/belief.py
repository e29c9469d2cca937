"""Expected outcomes of runs at untried weights, and the hypervolume that they would add.

A weighted run is not an arbitrary function of its weights: it maximises a weighted sum. So the
prediction of a Gaussian process is clipped to the bounds that runs at other weights set
(`corners`). A prediction that does not rise above the known points is probably a known policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from paretoflow.core.values import FloatArray, History, IntArray, LaunchKind, Proposal, WeightVector
from paretoflow.proposers.boxes import Landscape, Way
from paretoflow.proposers.corners import envelope, within_supports
from paretoflow.proposers.gain import OpenRegion, outcome_grid
from paretoflow.proposers.gaussian import POSTERIOR_POINTS, GainModel
from paretoflow.proposers.kernels import spread_part
from paretoflow.proposers.ranges import normalised, normalised_errors

SMALLEST = 1e-3
"""Smallest rise of a weighted sum, in normalised gains, that counts as a new policy."""

MOST_DRAWN = 3
"""Number of objectives up to which gains are averaged over all combinations of likely outcomes.
Beyond, or where the front has too many points for that, the outcome one deviation above the mean is
used instead."""


@dataclass(frozen=True)
class KnownRuns:
    """Weighted runs, and the model that is fitted to them.

    Args:
        rows: Row of each run's last evaluation in the history, shape (n,).
        weights: Shape (n, m).
        model: Model of normalised gains.
    """

    rows: IntArray
    weights: FloatArray
    model: GainModel


@dataclass(frozen=True)
class Belief:
    """Known and expected outcomes before a choice.

    Args:
        model: Model that counts pending weighted launches as arrived at their predicted means.
        weights: Weights of the runs in the model, shape (n, m).
        doubt: Standard deviation from one training to the next and of the estimates of the runs'
            own means, in each objective, shape (n, m).
        region: Region that the front of all known and expected points leaves open, normalised.
    """

    model: GainModel
    weights: FloatArray
    doubt: FloatArray
    region: OpenRegion

    def gain_of(self, way: Way) -> float:
        """Return the hypervolume that the middle of the way's box would add."""
        return float(self.region.gains(way.thresholds))

    def possible(self, outcomes: FloatArray) -> FloatArray:
        """Return outcomes, shape (..., m), clipped to the bounds that other runs set."""
        slack = SMALLEST + np.sqrt(((self.weights * self.doubt) ** 2).sum(axis=1))
        return within_supports(
            outcomes, self.weights, envelope(self.weights, self.region.front) + slack
        )

    def rise(self, where: FloatArray, outcomes: FloatArray) -> FloatArray:
        """Return the rise of outcomes above the known points, in typical doubts, shape (..., k).

        Args:
            where: Weights, shape (k, m).
            outcomes: Of runs at these weights, shape (..., k, m).
        """
        above = (outcomes * where).sum(axis=-1) - envelope(where, self.region.front)
        doubt = SMALLEST + np.sqrt((where**2) @ (self.doubt**2).mean(axis=0))
        return np.asarray(above / doubt, dtype=np.float64)


@dataclass(frozen=True)
class Promise:
    """Hypervolume that a run at given weights is expected to add.

    Args:
        likely: Gain that counts outcomes which hardly rise above the known points in part.
        sure: Gain that counts only outcomes which rise clearly.
        mean: Expected normalised gains, shape (m,).
        sd: Their standard deviations, shape (m,).
    """

    weights: WeightVector
    likely: float
    sure: float
    mean: FloatArray
    sd: FloatArray


def known_runs(history: History) -> KnownRuns:
    """Return the last evaluations of the weighted runs, and a model of them.

    A run that continued a parent is left out: its outcome does not follow from its weights alone.
    """
    last = {run: row for row, run in enumerate(history.run_index.tolist()) if run >= 0}
    kept = [
        (row, history.runs[run].proposal.weights.values)
        for run, row in sorted(last.items())
        if _tells_of_weights(history.runs[run].proposal)
    ]
    weights = np.array([w for _, w in kept], dtype=np.float64).reshape(-1, history.problem.m)
    part = spread_part(weights, POSTERIOR_POINTS)
    rows, weights = np.array([row for row, _ in kept], dtype=np.int64)[part], weights[part]
    gains, errors = normalised(history)[rows], normalised_errors(history)[rows]
    return KnownRuns(rows, weights, GainModel.fitted(weights, gains, errors))


def belief_of(known: KnownRuns, land: Landscape, pending: Sequence[Proposal]) -> Belief:
    """Return the belief before a choice.

    Points outside the model, for instance of constrained launches, count as evaluated.
    """
    points = np.vstack([known.model.attained(), land.gains[~np.isin(land.rows, known.rows)]])
    _, sd = known.model.predicted(known.weights)
    nugget = np.array([process.kernel.nugget for process in known.model.processes])
    before = Belief(
        model=known.model,
        weights=known.weights,
        doubt=np.sqrt(sd**2 + nugget),
        region=OpenRegion.beyond(points, land.ref),
    )
    coming = [p.weights.values for p in pending if _tells_of_weights(p)]
    if not coming:
        return before
    waiting = np.array(coming, dtype=np.float64)
    means = before.possible(known.model.predicted(waiting)[0])
    new = means[before.rise(waiting, means) > 1]
    region = OpenRegion.beyond(np.vstack([before.region.front, new]), land.ref)
    return replace(before, model=known.model.believing(waiting), region=region)


def best_promise(belief: Belief, where: FloatArray) -> Promise | None:
    """Return the candidate that is expected to add the most; None when none adds anything.

    Args:
        belief: Known and expected outcomes.
        where: Candidates, shape (k, m).
    """
    if not len(where):
        return None
    mean, sd = belief.model.predicted(where)
    likely, sure = expected_gains(where, mean, sd, belief)
    best = int(likely.round(12).argmax())
    if likely[best] <= 0:
        return None
    weights = WeightVector.of(where[best])
    return Promise(weights, float(likely[best]), float(sure[best]), mean[best], sd[best])


def expected_gains(
    where: FloatArray, mean: FloatArray, sd: FloatArray, belief: Belief
) -> tuple[FloatArray, FloatArray]:
    """Return the hypervolume that runs are expected to add: likely and sure, each (k,).

    An outcome that rises above the known weighted sums by r doubts counts as a new policy with
    weight (1 + r) / 2 for the likely gain, and r - 1 for the sure one, both clipped to [0, 1].

    Args:
        where: Weights, shape (k, m).
        mean: Predicted normalised gains, shape (k, m).
        sd: Standard deviations of the predictions, shape (k, m).
        belief: Known and expected outcomes.
    """
    m = where.shape[1]
    drawn = m <= MOST_DRAWN and belief.region.is_cut
    steps, odds = outcome_grid(m) if drawn else (np.ones((1, m)), np.ones(1))
    outcomes = belief.possible(mean + steps[:, None, :] * sd)
    gains, rise = belief.region.gains(outcomes), belief.rise(where, outcomes)
    likely = odds @ (gains * np.clip((1 + rise) / 2, 0.0, 1.0))
    sure = odds @ (gains * np.clip(rise - 1, 0.0, 1.0))
    return np.asarray(likely, dtype=np.float64), np.asarray(sure, dtype=np.float64)


def _tells_of_weights(proposal: Proposal) -> bool:
    return proposal.kind is LaunchKind.WEIGHTED and proposal.parent is None
