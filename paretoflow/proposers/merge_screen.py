"""`merge_screen`: experts, their mixtures, and training only where it should beat all mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.values import FloatArray, History, LaunchKind, Proposal, WeightVector
from paretoflow.front.hypervolume import hypervolume, improvement
from paretoflow.proposers.asked import Asked, Choose, seed_for
from paretoflow.proposers.configurations import KernelMemory
from paretoflow.proposers.experts import Expert, TrainedRuns, expert_launch, trains
from paretoflow.proposers.gaussian import GainModel
from paretoflow.proposers.initial import initial_count, initial_weights
from paretoflow.proposers.mixtures import grid, merge_launch, merge_of, mixture_weights
from paretoflow.proposers.quadratics import Quadratics
from paretoflow.proposers.ranges import normalised, normalised_errors, normalised_ref
from paretoflow.proposers.spread import even_sample
from paretoflow.proposers.stepwise import StepwiseProposer
from paretoflow.proposers.wording import preference
from paretoflow.spec.proposers import MergeScreenProposerSpec

CANDIDATES = 64
"""Number of mixtures, and of weights to train towards, that a choice compares."""
LARGEST = 100
"""Largest number of front points that hypervolumes are measured against."""
LEAST = 1e-3
"""Smallest promise of a mixture, as a share of the present hypervolume."""


class MergeScreenProposer(StepwiseProposer):
    """Mixes experts, and trains where a trained run should beat the best mixture.

    The experts are the corners and the centre. The corners' adapters are mixed. A quadratic in the
    coefficients is fitted to each objective's gains of mixtures, and a Gaussian process in the
    weights to those of the trained runs. With weights w, mean mu and standard errors s of that
    process, and a mixture's fitted gains q, a run is trained towards the w where

        w . mu(w) - max_q w . q  >  margin * sqrt(sum_l w_l^2 s_l(w)^2)

    holds; of several, the one with the largest expected hypervolume gain. If it holds nowhere, the
    mixture with the largest expected gain is next. If no mixture promises a gain, training at the
    weights where a trained run may win by most is next, since it is the most informative.

    Args:
        spec: Its options.
        m: Number of objectives.
        runs: Runs of the sweep.

    References:
        Li et al. 2024, arXiv 2406.07529 (MAP), sec. 3.2: the quadratics. The screen is ours.
        Departures: (1) coefficients sum to one, so a few mixtures are enough for a fit; (2) trained
        runs start from the base, so that each is an answer to its weights alone.
    """

    def __init__(self, spec: MergeScreenProposerSpec, *, m: int, runs: int) -> None:
        super().__init__()
        self._spec = spec
        self._count = initial_count(m, spec.initial)
        self._kernels = KernelMemory()

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch; it returns None while experts to mix still train."""
        runs, names = TrainedRuns(history), history.problem.names
        screens: list[_Screen] = []

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal | None:
            team = runs.team(pending, max(self._count, len(names)))
            if team.missing is not None:
                launch = expert_launch(team.missing, asked, names, seed, "merge_screen")
                return replace(launch, tag="initial")
            parents = team.experts[: len(names)]
            if not all(parent.ready for parent in parents):
                return None
            if not screens:
                screens.append(_Screen.of(history, parents, self._kernels))
            choice = _Choice(asked, names, seed, self._spec.margin)
            return choice.next(screens[0].awaiting(pending))

        return choose


@dataclass(frozen=True)
class _Screen:
    """Data and models of a choice, once there are experts to mix; gains are normalised.

    Args:
        parents: Experts whose adapters are mixed, length k.
        mixed: Coefficients of the parents and the evaluated mixtures, shape (n, k).
        outcomes: Gains of the parents and the evaluated mixtures, shape (n, m).
        failed: Coefficients of mixtures that failed, shape (f, k).
        trained: Model of the gains of training at given weights, fitted to the ended runs.
        reached: The front's gains, or an even sample of them, shape (r, m).
        ref: Reference point, shape (m,).
        under_way: Coefficients of pending mixtures, shape (p, k).
        coming: Expected gains of pending trained runs, shape (q, m).
    """

    parents: tuple[Expert, ...]
    mixed: FloatArray
    outcomes: FloatArray
    failed: FloatArray
    trained: GainModel
    reached: FloatArray
    ref: FloatArray
    under_way: FloatArray
    coming: FloatArray

    @classmethod
    def of(cls, history: History, parents: tuple[Expert, ...], memory: KernelMemory) -> _Screen:
        """Read a history, with nothing pending."""
        gains, stderr = normalised(history), normalised_errors(history)
        last = {run: row for row, run in enumerate(history.run_index.tolist())}
        asked = [(r.proposal, last.get(i, -1)) for i, r in enumerate(history.runs)]
        mixtures = [(c, row) for p, row in asked if (c := _coefficients(p, parents)) is not None]
        done = [(c, row) for c, row in mixtures if row >= 0]
        runs = [(p.weights.values, row) for p, row in asked if trains(p) and row >= 0]
        rows, count = [row for _, row in runs], len(parents)
        return cls(
            parents=parents,
            mixed=np.vstack([np.eye(count), *(c for c, _ in done)]),
            outcomes=gains[[*(e.row for e in parents), *(row for _, row in done)]],
            failed=np.array([c for c, row in mixtures if row < 0]).reshape(-1, count),
            trained=memory.model_of(
                np.array([w for w, _ in runs]), gains[rows], np.nan_to_num(stderr[rows])
            ),
            reached=gains[even_sample(history.front, LARGEST)],
            ref=normalised_ref(history),
            under_way=np.empty((0, count)),
            coming=np.empty((0, gains.shape[1])),
        )

    def awaiting(self, pending: Sequence[Proposal]) -> _Screen:
        """Return the screen with pending launches."""
        mixtures = [c for p in pending if (c := _coefficients(p, self.parents)) is not None]
        runs = np.array([p.weights.values for p in pending if trains(p)])
        return replace(
            self,
            under_way=np.array(mixtures).reshape(-1, len(self.parents)),
            coming=self.trained.predicted(runs)[0] if len(runs) else self.coming,
        )

    def fresh(self) -> FloatArray:
        """Return the mixtures not launched yet, from coarse to fine, shape (c, k)."""
        mixtures = np.array(grid(len(self.parents), CANDIDATES))
        asked = np.vstack([self.mixed, self.failed, self.under_way])
        return mixtures[~_among(mixtures, asked)]

    def fit(self) -> Quadratics:
        """Return the gains of mixtures as quadratics in their coefficients."""
        return Quadratics.fitted(self.mixed, self.outcomes, logit=False)

    def lead(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the expected lead of training over all mixtures at weights, and its error, (n,).

        Args:
            weights: Shape (n, m).
        """
        mean, error = self.trained.predicted(weights)
        mixed = self.fit().outcomes(np.array(grid(len(self.parents), CANDIDATES)))
        rivals = np.vstack([mixed, self.outcomes, self.coming])
        best = (weights @ rivals.T).max(axis=1)
        ahead: FloatArray = (weights * mean).sum(axis=1) - best
        return ahead, np.sqrt(((weights * error) ** 2).sum(axis=1))

    def merit(self, expected: FloatArray) -> FloatArray:
        """Return the share of the hypervolume that expected gains would add, shape (n,).

        Args:
            expected: Shape (n, m).
        """
        front = np.vstack([self.reached, self.fit().outcomes(self.under_way), self.coming])
        volume = max(hypervolume(front, self.ref), LEAST)
        share: FloatArray = improvement(expected, front, self.ref) / volume
        return share


@dataclass(frozen=True)
class _Choice:
    """One decision: the next expert to train, or mixture to evaluate."""

    asked: Asked
    names: Sequence[str]
    seed: int
    margin: float

    def next(self, screen: _Screen) -> Proposal | None:
        """Return the next launch; None when everything was tried."""
        fresh, count = screen.fresh(), len(screen.parents)
        needed = count * (count - 1) // 2 + 1
        made = len(screen.mixed) - count + len(screen.under_way)
        if made < needed and len(fresh):
            why = f"Mixture {made + 1} of {needed} that a fit needs"
            return self._mixed(screen, fresh[0], why)
        weights = initial_weights(len(self.names), CANDIDATES)
        left = [w for w in weights if not self.asked.has_tried(w.values)]
        untried = np.array([w.values for w in left]).reshape(-1, len(self.names))
        ahead, error = screen.lead(untried)
        trained = screen.merit(screen.trained.predicted(untried)[0])
        worth = np.where(ahead > self.margin * error, trained, 0.0)
        if len(left) and worth.max() > LEAST:
            best = int(worth.argmax())
            why = f"Training should beat every mixture and add {worth[best]:.1%}"
            return self._trained(left[best], (ahead[best], error[best]), why)
        merit = screen.merit(screen.fit().outcomes(fresh))
        if len(fresh) and (merit.max() > LEAST or not len(left)):
            best = int(merit.argmax())
            why = f"No training is sure to beat mixtures; this one should add {merit[best]:.1%}"
            return self._mixed(screen, fresh[best], why)
        if not len(left):
            return None
        best = int((ahead + self.margin * error).argmax())
        why = "Nothing is sure to win any more, and training may"
        return self._trained(left[best], (ahead[best], error[best]), why)

    def _mixed(self, screen: _Screen, coefficients: FloatArray, why: str) -> Proposal:
        merge = merge_of("cat", screen.parents, coefficients.tolist(), {})
        weights = mixture_weights(coefficients, [e.weights for e in screen.parents])
        reason = f"{why}: {preference(weights, self.names)}, of {len(merge.parents)} experts."
        tags = ("merge_screen", "mixture")
        return merge_launch(merge, weights, seed_for(self.seed, self.asked), reason, tags)

    def _trained(
        self,
        weights: WeightVector,
        lead: tuple[float, float],
        why: str,
    ) -> Proposal:
        by = f"ahead of them by {lead[0]:.3f} ± {lead[1]:.3f} of the ranges"
        return Proposal(
            kind=LaunchKind.WEIGHTED,
            weights=weights,
            seed=seed_for(self.seed, self.asked),
            reason=f"{why}, {by}, at {preference(weights, self.names)}.",
            proposer="merge_screen",
            tag="screened",
        )


def _coefficients(proposal: Proposal, parents: Sequence[Expert]) -> FloatArray | None:
    """Return a launch's coefficients of the parents, (k,); None if it mixes other adapters."""
    merge = proposal.merge
    names = [e.snapshots[-1] for e in parents]
    if merge is None or merge.how != "cat" or not set(merge.parents) <= set(names):
        return None
    shares = dict(zip(merge.parents, merge.coefficients, strict=True))
    return np.array([shares.get(name, 0.0) for name in names])


def _among(mixtures: FloatArray, known: FloatArray) -> NDArray[np.bool_]:
    """Return a mask of the mixtures that are among the known ones, shape (n,)."""
    same = np.isclose(mixtures[:, None], known[None], atol=1e-9).all(axis=2)
    among: NDArray[np.bool_] = np.logical_or.reduce(same, axis=1)
    return among
