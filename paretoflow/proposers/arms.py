"""Arms of a portfolio: the proposer of the next launch is drawn by the worth of past launches.

Each launch of a portfolio has the tag of the arm that chose it. This module writes and reads that
tag, and removes it, so that an arm sees its own launches as if it were alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from paretoflow.core.ids import rng_of
from paretoflow.core.values import FloatArray, History, Proposal, RunRecord
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import improvement
from paretoflow.proposers.ranges import normalised, normalised_errors, normalised_ref
from paretoflow.proposers.spread import farthest_first

PORTFOLIO = "portfolio"
MARK = "|"
LATEST, LATEST_ROWS = 64, 192
"""Numbers of ended launches that are rated, and of evaluations that they may reach back: only the
latest, since older ones hardly count with the usual discount."""
MOST_POINTS = 100
"""Number of front points, far from each other, that the first rated launch is compared with."""
PRIOR = 2.0
"""Number of runs of mean cost and mean gain that every arm starts with."""


@dataclass(frozen=True)
class ArmOutcome:
    """Worth of one ended launch.

    Args:
        arm: Tag of the proposer that chose it.
        gain: Hypervolume that it added, in the product of the normalised ranges.
        cost: Cost of its run, in units of the mean over all outcomes.
    """

    arm: str
    gain: float
    cost: float


def signed(proposal: Proposal, arm: str, why: str) -> Proposal:
    """Return an arm's launch as one of the portfolio, with the arm in its tag and its reason."""
    reason = f"{why}: {proposal.reason[0].lower()}{proposal.reason[1:]}"
    tag = f"{arm}{MARK}{proposal.tag}"
    return replace(proposal, proposer=PORTFOLIO, tag=tag, reason=reason)


def arm_of(proposal: Proposal) -> str:
    """Return the arm that chose a launch; empty where no arm of a portfolio did."""
    arm, mark, _ = proposal.tag.partition(MARK)
    return arm if mark and proposal.proposer == PORTFOLIO else ""


def restored(proposal: Proposal) -> Proposal:
    """Return a launch as its arm made it, except for the reason; other launches unchanged.

    By hand: the portfolio's `cmorl|round:1:a,b` is cmorl's `round:1:a,b`.
    """
    arm = arm_of(proposal)
    return replace(proposal, proposer=arm, tag=proposal.tag[len(arm) + 1 :]) if arm else proposal


class RestoredRuns:
    """Restores the launches of a history; keeps the records, since a history grows by few runs."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[RunRecord, RunRecord]] = {}

    def of(self, history: History) -> History:
        """Return the same history with every launch as its arm made it."""
        runs = tuple(self._restored(run) for run in history.runs)
        return replace(history, runs=runs)

    def _restored(self, run: RunRecord) -> RunRecord:
        known = self._known.get(run.run_id)
        if known is None or known[0] is not run:
            known = run, replace(run, proposal=restored(run.proposal))
            self._known[run.run_id] = known
        return known[1]


def outcomes_of(history: History) -> list[ArmOutcome]:
    """Return the worth of the latest ended launches of arms, in the order of the runs.

    The worth of an evaluation is the hypervolume that it adds to the evaluations before it in the
    ledger. Its gains are lowered by their standard errors, so that a point that is on the front by
    luck alone adds nothing. A run's cost is its device seconds; a run without them has the mean
    cost.

    By hand: behind (1, 0) and (0, 1), reference (0, 0), a run evaluated at (.5, .5) adds .25; at
    (.5, .5) with errors of .1 it adds .4 * .4 = .16.
    """
    early = set(history.run_index[:-LATEST_ROWS].tolist())
    armed = [i for i, run in enumerate(history.runs) if arm_of(run.proposal)][-LATEST:]
    rated = [i for i in armed if i not in early]
    if not rated:
        return []
    gains = gains_of_runs(history, rated)
    seconds = np.array([history.runs[i].cost.device_s for i in rated])
    mean = float(seconds[seconds > 0].mean()) if (seconds > 0).any() else 1.0
    costs = np.where(seconds > 0, seconds, mean) / mean
    return [
        ArmOutcome(arm_of(history.runs[i].proposal), gain, cost)
        for i, gain, cost in zip(rated, gains, costs.tolist(), strict=True)
    ]


def gains_of_runs(history: History, runs: Sequence[int]) -> list[float]:
    """Return the hypervolume that each of some runs added, in the ledger's order of evaluations.

    Args:
        history: Ended runs and evaluations.
        runs: Indices of the runs, at least one.
    """
    rows, ref = normalised(history), normalised_ref(history)
    lowered = rows - normalised_errors(history)
    places = np.flatnonzero(np.isin(history.run_index, runs))
    added = dict.fromkeys(runs, 0.0)
    front = _front_before(rows, int(places[0])) if len(places) else rows[:0]
    for row in range(int(places[0]) if len(places) else len(rows), len(rows)):
        run = int(history.run_index[row])
        if (front >= rows[row]).all(axis=1).any():
            continue
        if run in added:
            added[run] += float(improvement(lowered[row : row + 1], front, ref)[0])
        front = np.vstack([front[~(front <= rows[row]).all(axis=1)], rows[row]])
    return [added[run] for run in runs]


def worths(
    outcomes: Sequence[ArmOutcome], arms: Sequence[str], discount: float, *seed: int | str
) -> Mapping[str, float]:
    """Draw the worth of a run of each arm: hypervolume for a run of mean cost.

    An arm's gains g and costs c, discounted by their age in launches, and the prior of k runs at
    the mean r of all, give (k r + sum g) / G, with G drawn from a Gamma distribution of mean
    k + sum c: the posterior of a rate whose gains are exponential. An arm with many launches draws
    near its own rate; an arm with few draws widely around the mean.

    By hand, no discount, k = 2: gains .3 of one run and .1 of another arm's have the mean .2; the
    first arm draws (.4 + .3) / G with G of mean 3, which is .233 at that mean.

    Args:
        outcomes: In order, the latest last.
        arms: Tags.
        discount: Factor on the weight of an outcome for each launch that has ended since.
        seed: Parts of the seed.

    References:
        Garivier and Moulines (2011), On upper-confidence bound policies for switching bandit
        problems, ALT: discounting. Raj and Kalyani (2017), arXiv 1707.09727: discounted Thompson
        sampling. Departures: gains are exponential with a Gamma prior, since they are positive and
        shrink as a front fills; costs divide them; the prior is the mean of all arms, so that an
        arm that was not drawn for long is judged by the present gains of all.
    """
    ages = discount ** np.arange(len(outcomes) - 1, -1, -1, dtype=np.float64)
    gains = ages * np.array([o.gain for o in outcomes])
    costs = ages * np.array([o.cost for o in outcomes])
    # without any gain so far all arms are alike
    mean = float(gains.sum() / costs.sum()) if gains.any() else 1.0
    drawn = {}
    for arm in arms:
        own = np.array([o.arm == arm for o in outcomes], dtype=np.bool_)
        spread = rng_of(*seed, "arm", arm).standard_gamma(PRIOR + costs[own].sum())
        drawn[arm] = float((PRIOR * mean + gains[own].sum()) / spread)
    return drawn


def _front_before(rows: FloatArray, end: int) -> FloatArray:
    front = rows[:end][nondominated(rows[:end])]
    if len(front) <= MOST_POINTS:
        return front
    best = list(dict.fromkeys(front.argmax(axis=0).tolist()))
    return front[[*best, *farthest_first(front, front[best], MOST_POINTS - len(best))]]
