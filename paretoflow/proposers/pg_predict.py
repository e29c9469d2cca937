"""`pg_predict`: continues policies of the front where earlier continuations predict most gain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from paretoflow.core.values import FloatArray, History, LaunchKind, Proposal, WeightVector
from paretoflow.front.simplex import lattice_at_least
from paretoflow.proposers.asked import Asked, Choose, seed_for
from paretoflow.proposers.boxes import landscape
from paretoflow.proposers.cmorl import ranked_policies
from paretoflow.proposers.cmorl_hv import dominated
from paretoflow.proposers.gain import OpenRegion
from paretoflow.proposers.improvements import (
    WIDTH,
    PolicyChanges,
    observed_changes,
    predicted_changes,
    weights_behind,
)
from paretoflow.proposers.initial import SPARE_SHARE, initial_count, initial_launch
from paretoflow.proposers.ranges import normalised
from paretoflow.proposers.spread import farthest_first, spread_launch
from paretoflow.proposers.stepwise import StepwiseProposer
from paretoflow.proposers.wording import preference
from paretoflow.spec.proposers import PgPredictProposerSpec

MAX_PARENTS = 8
"""Number of front policies, far from each other, whose continuations are predicted."""
CANDIDATES = 33
"""Smallest number of weights on the lattice that continuations are chosen from."""
WIDEST = np.cos(np.pi / 4)
"""Cosine of the largest angle of a continuation's weights to the parent's weights."""
Continuation = tuple[str, tuple[float, ...]]
"""A parent, and the weights of its continuation."""


class PgPredictProposer(StepwiseProposer):
    """Continues a policy of the front with the weights that promise most hypervolume.

    A launch here is a weighted one with a parent: plain training continues from its adapter. The
    change by a continuation is predicted from the continuations so far (`improvements`). Of all
    policies of the front and all weights within 45 degrees of their own, the pair with the largest
    predicted hypervolume gain is launched. Pending continuations are expected to reach their
    prediction. This proposer is meant for many short runs.

    The sweep opens with corners and centre. Until `min_deltas` changes are known, and whenever the
    predicted gain is no more than noise could add, another policy is continued: the one near which
    the fewest continuations began, the front's extremes and its loneliest first. It is continued
    with its own weights if there were none, else with the weights farthest from all that were tried
    there. So changes are observed all along the front. Consecutive evaluations of one run
    (`method.checkpoint_every`) count too.

    Args:
        spec: Its options.
        m: Number of objectives.
        runs: Runs of the sweep.

    References:
        Xu et al. (2020), Prediction-guided multi-objective reinforcement learning for continuous
        robot control, ICML (PGMORL), sec. 3.2 and 3.3, alg. 2. Departures: one launch at a time
        instead of a generation of tasks; hypervolume alone, without the sparsity term; policies of
        the front instead of a population in direction bins; weights from a lattice, any number of
        objectives; a continuation that was launched, even in vain, is not launched again.
    """

    def __init__(self, spec: PgPredictProposerSpec, *, m: int, runs: int) -> None:
        super().__init__()
        self._initial = initial_count(m, spec.initial)
        self._spare = max(self._initial, runs // SPARE_SHARE)
        self._least = spec.min_deltas

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch; it returns None only while the opening stage trains."""
        names = history.problem.names
        known = KnownContinuations(history)

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal | None:
            first = initial_launch(asked, self._initial, names, seed, "pg_predict")
            if first is not None:
                return first
            run_seed = seed_for(seed, asked)
            tried = known.continued | set(continuations(pending))
            launch = None
            if len(known.changes) >= self._least:
                launch = known.promising(asked, pending, tried, run_seed)
            launch = launch or known.untried(tried, run_seed)
            if launch is not None:
                return launch
            opening = any(p.tag == "initial" for p in pending)
            if opening and len(asked) >= self._spare:
                return None
            why = "No policy can be trained on " + ("yet" if opening else "in a new way")
            return spread_launch(asked, names, seed, why, "pg_predict")

        return choose


def continuations(launches: Iterable[Proposal]) -> Iterator[Continuation]:
    """Iterate over the weighted launches that have a parent, as (parent, weights)."""
    for launch in launches:
        if launch.kind is LaunchKind.WEIGHTED and launch.parent is not None:
            yield launch.parent, launch.weights.values


@dataclass(frozen=True)
class Outlook:
    """Predicted results of continuations.

    Args:
        continuations: Each with the parent's checkpoint and the weights, length k.
        arrivals: Predicted normalised gains, shape (k, m).
    """

    continuations: tuple[Continuation, ...]
    arrivals: FloatArray


class KnownContinuations:
    """Continuations of a history; computed once for all launches chosen from it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._rows = {name: row for row, name in enumerate(history.snapshot_ids)}
        self._arrived: dict[Continuation, FloatArray] = {}

    @cached_property
    def changes(self) -> PolicyChanges:
        """Return the changes by continuations so far."""
        return observed_changes(self._history)

    @cached_property
    def continued(self) -> frozenset[Continuation]:
        """Return the continuations that have ended, failed ones included."""
        return frozenset(continuations(run.proposal for run in self._history.runs))

    @cached_property
    def outlook(self) -> Outlook:
        """Return the predicted results of policies spread over the front; empty if unknown."""
        points = self._gains[self._policies]
        parents = farthest_first(points, points[:1], MAX_PARENTS - 1) if len(points) else []
        found: list[Continuation] = []
        arrivals = [np.empty((0, self._history.problem.m))]
        rows = [self._policies[i] for i in (0, *parents)] if len(points) else []
        options = [options_of(weights_behind(self._history, row)) for row in rows]
        tables = [np.array([w.values for w in each]) for each in options]
        changed = predicted_changes(self.changes, self._gains[rows], tables)
        for row, each, change in zip(rows, options, changed or (), strict=False):
            found += [(self._history.snapshot_ids[row], w.values) for w in each]
            arrivals.append(self._gains[row] + change)
        return Outlook(tuple(found), np.vstack(arrivals))

    def promising(
        self, asked: Asked, pending: Sequence[Proposal], tried: Set[Continuation], run_seed: int
    ) -> Proposal | None:
        """Return the continuation with the largest predicted gain; None if noise could add as much.

        Args:
            asked: Every launch so far.
            pending: Pending launches.
            tried: Continuations that were launched.
            run_seed: Seed of the launch.
        """
        land = landscape(self._history, asked, pending)
        coming = [c for c in continuations(pending) if c[0] in self._rows]
        believed = np.vstack([land.gains, *self._arrivals(coming)])
        gains = OpenRegion.beyond(believed, land.ref).gains(self.outlook.arrivals)
        gains[dominated(self.outlook.arrivals, believed)] = 0.0
        gains[[c in tried for c in self.outlook.continuations]] = 0.0
        if not (gains > land.noise.prod()).any():
            return None
        best = int(gains.round(12).argmax())
        what = f"should add {gains[best]:.1%} of the ranges' hypervolume, as similar ones changed"
        return self._launch(self.outlook.continuations[best], what, "predicted", run_seed)

    def untried(self, tried: Set[Continuation], run_seed: int) -> Proposal | None:
        """Return a continuation from where the fewest began; None if all were launched.

        Args:
            tried: Continuations that were launched.
            run_seed: Seed of the launch.
        """
        names, known = self._history.snapshot_ids, sorted(c for c in tried if c[0] in self._rows)
        starts = self._gains[[self._rows[parent] for parent, _ in known]]
        away = np.abs(starts[None] - self._gains[self._policies][:, None]).max(axis=2)
        near = away < WIDTH
        for place in np.argsort(near.sum(axis=1), kind="stable").tolist():
            row = self._policies[place]
            taken = [known[i][1] for i in np.flatnonzero(near[place])]
            own = weights_behind(self._history, row)
            new = [w for w in options_of(own) if (names[row], w.values) not in tried]
            if new:
                weights = next_weights(own, new, taken)
                what = "shows what training on changes there: few continuations began nearby"
                return self._launch((names[row], weights.values), what, "untried", run_seed)
        return None

    @cached_property
    def _policies(self) -> list[int]:
        return ranked_policies(self._history)

    @cached_property
    def _gains(self) -> FloatArray:
        return normalised(self._history)

    def _arrivals(self, coming: Sequence[Continuation]) -> list[FloatArray]:
        """Return the expected gains of pending continuations, each of shape (m,)."""
        new = [c for c in dict.fromkeys(coming) if c not in self._arrived]
        if new:
            starts = self._gains[[self._rows[parent] for parent, _ in new]]
            changed = predicted_changes(self.changes, starts, [np.array([w]) for _, w in new])
            moved = starts if changed is None else starts + np.vstack(changed)
            self._arrived.update(zip(new, moved, strict=True))
        return [self._arrived[c] for c in coming]

    def _launch(self, continuation: Continuation, what: str, tag: str, run_seed: int) -> Proposal:
        parent, values = continuation
        weights = WeightVector(values)
        towards = preference(weights, self._history.problem.names)
        return Proposal(
            kind=LaunchKind.WEIGHTED,
            weights=weights,
            seed=run_seed,
            reason=f"Training {parent} on towards {towards} {what}.",
            proposer="pg_predict",
            parent=parent,
            tag=tag,
        )


@lru_cache(maxsize=1024)
def options_of(own: WeightVector) -> tuple[WeightVector, ...]:
    """Return the weights that a policy may be continued with: its own, and those within 45 degrees.

    By hand: for two objectives (1, 0) has the lattice's weights from (.5, .5) on.

    Args:
        own: Weights that the policy was last trained towards.
    """
    lattice = lattice_at_least(len(own), CANDIDATES)
    lengths = np.linalg.norm(lattice, axis=1) * np.linalg.norm(own.array)
    near = lattice[lattice @ own.array >= (WIDEST - 1e-9) * lengths]
    return tuple(dict.fromkeys([own, *map(WeightVector.of, near)]))


def next_weights(
    own: WeightVector, options: Sequence[WeightVector], taken: Sequence[tuple[float, ...]]
) -> WeightVector:
    """Return the option farthest from all taken weights; if none, the one nearest to its own.

    Args:
        own: Weights that the policy was last trained towards.
        options: At least one.
        taken: Weights of other continuations.
    """
    points = np.array([w.values for w in options])
    if not taken:
        return options[int(np.linalg.norm(points - own.array, axis=1).round(9).argmin())]
    chosen = farthest_first(points, np.array(taken), 1)
    return options[chosen[0]] if chosen else options[0]
