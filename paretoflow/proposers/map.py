"""`map`: experts, a few mixtures of them, then the mixtures that a fit predicts on the front."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from paretoflow.core.ids import rng_of, seed_of
from paretoflow.core.merge import Merge
from paretoflow.core.values import FloatArray, History, Proposal
from paretoflow.proposers.asked import Asked, Choose, seed_for
from paretoflow.proposers.experts import TrainedRuns, expert_count, expert_launch
from paretoflow.proposers.mixtures import DECIMALS, merge_launch, mixture_weights
from paretoflow.proposers.quadratics import (
    Quadratics,
    latin_hypercube,
    predicted_front,
    unknowns,
)
from paretoflow.proposers.spread import farthest_first
from paretoflow.proposers.stages import NODE, SAMPLE, VERIFY, MergeNode, MergeStage, Survey
from paretoflow.proposers.stepwise import StepwiseProposer
from paretoflow.proposers.wording import preference
from paretoflow.spec.proposers import MapProposerSpec

CANDIDATES = 256
"""Number of mixtures that a choice without NSGA-III compares."""
REACH = 0.1
"""Distance to the front, as a share of the range, at which a sample's merit falls e-fold."""
LEAST = 0.05
"""Smallest useful sum of coefficients: below, the mixture is almost the base."""


class MapProposer(StepwiseProposer):
    """Model merging with amortised Pareto front.

    Coefficients c lie in the unit cube: theta_0 + sum_i c_i (theta_i - theta_0). After the experts,
    `samples` mixtures are evaluated, a quadratic in c is fitted to each objective, NSGA-III finds
    its front, and `verify` mixtures of that are evaluated, far from each other in predicted gains.

    `bayesian` takes from the hypercube only as many samples as the quadratic has numbers. It takes
    each further sample where doubt times promise is largest, counting pending ones as measured.
    `nested` mixes two at a time up a tree. Of each pair, the mixture with the largest predicted sum
    under the parents' weights is evaluated and mixed further up; the last pair gives the front.

    References:
        Li et al. 2024, arXiv 2406.07529 (MAP), alg. 1 to 3. Departures: (1) samples are a Latin
        hypercube, which spreads better than independent draws; (2) bayesian weighs leverage by the
        distance to the predicted front, without bins; (3) nested has no preference of a user, so a
        pair's parents count equally; (4) experts' corners and the base are points of the fit; (5)
        if the predicted front is used up and the budget is not, the mixture farthest from all tried
        is next.

    Args:
        spec: Its options.
        m: Number of objectives.
        runs: Runs of the sweep; if `samples` is unset, it depends on them.
    """

    def __init__(self, spec: MapProposerSpec, *, m: int, runs: int) -> None:
        super().__init__()
        self._spec = spec
        self._count = expert_count(m, spec.experts)
        self._samples = spec.samples or sample_count(spec, self._count, runs)

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch; it returns None while required runs are pending."""
        runs, names, survey = TrainedRuns(history), history.problem.names, Survey(history)

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal | None:
            team = runs.team(pending, self._count)
            if team.missing is not None:
                return expert_launch(team.missing, asked, names, seed, "map")
            if not team.complete:
                return None
            nodes = [survey.expert(e) for e in team.experts]
            choice = _Choice(self._spec, self._samples, names, seed_for(seed, asked), seed)
            return choice.next(survey, nodes, pending)

        return choose


def sample_count(spec: MapProposerSpec, experts: int, runs: int) -> int:
    """Return the number of mixtures for a fit if the spec does not set it.

    By hand: 22 runs with 2 experts leave 20, half of which is between 6 and 24: 10.

    Args:
        spec: The spec; its variant matters.
        experts: Number of experts, k.
        runs: Runs of the sweep.
    """
    nested = spec.variant == "nested"
    needed = unknowns(2 if nested else experts)
    half = max(runs - experts, 0) // (2 * (experts - 1 if nested else 1))
    return min(max(half, needed), 4 * needed)


class _Choice:
    """One decision of MAP."""

    def __init__(
        self, spec: MapProposerSpec, samples: int, names: Sequence[str], run_seed: int, seed: int
    ) -> None:
        self._spec = spec
        self._samples = samples
        self._names = names
        self._run_seed = run_seed
        self._seed = seed

    def next(
        self, survey: Survey, nodes: list[MergeNode], pending: Sequence[Proposal]
    ) -> Proposal | None:
        """Return the next merge; None when none is worth launching now."""
        while self._spec.variant == "nested" and len(nodes) > 2:
            above: list[MergeNode | None] = []
            for i in range(0, len(nodes) - 1, 2):
                stage = survey.stage(nodes[i : i + 2], pending)
                proposal = self._sample(stage) or self._node(stage)
                if proposal is not None:
                    return proposal
                above.append(_top(stage))
            if None in above:
                return None
            nodes = [n for n in above if n is not None] + nodes[len(above) * 2 :]
        stage = survey.stage(nodes, pending)
        return self._sample(stage) or self._verified(stage)

    def _sample(self, stage: MergeStage) -> Proposal | None:
        """Return the next mixture for the fit; None when all are launched."""
        number, count = len(stage.of(SAMPLE)), len(stage.parents)
        if number >= self._samples:
            return None
        where = f"Sample {number + 1} of {self._samples} for the fit"
        if self._spec.variant == "bayesian" and number >= unknowns(count):
            return self._launch(stage, self._unsure(stage), SAMPLE, f"{where}, unsure there")
        place = rng_of(self._seed, *(p.snapshot for p in stage.parents))
        spread = unknowns(count) if self._spec.variant == "bayesian" else self._samples
        return self._launch(stage, latin_hypercube(spread, count, place)[number], SAMPLE, where)

    def _unsure(self, stage: MergeStage) -> FloatArray:
        """Return the mixture, among many, with the largest product of doubt and promise."""
        draws = self._draws(stage)
        fit = self._fit(stage)
        under_way = [x.coefficients for x in stage.of(SAMPLE) if not x.over]
        planned = np.array(under_way).reshape(-1, draws.shape[1])
        outcomes = fit.outcomes(np.vstack([draws, stage.known()[0]]))
        lacking = (outcomes[None] - outcomes[: len(draws), None]).min(axis=2).max(axis=1)
        merit = fit.doubt(draws, planned) * np.exp(-np.maximum(lacking, 0.0) / REACH)
        chosen: FloatArray = draws[int(merit.argmax())]
        return chosen

    def _node(self, stage: MergeStage) -> Proposal | None:
        """Return the mixture of a pair for the next level; None if launched, or if it must wait."""
        if stage.of(NODE) or any(not x.over for x in stage.of(SAMPLE)):
            return None
        towards = mixture_weights(np.ones(2), [p.weights for p in stage.parents])
        draws = self._draws(stage)
        best = int((self._fit(stage).outcomes(draws) @ towards.array).argmax())
        return self._launch(stage, draws[best], NODE, "Best of a pair by its fit, to be mixed on")

    def _verified(self, stage: MergeStage) -> Proposal | None:
        """Return the next mixture of the predicted front; None when it must wait, or at the end."""
        asked = len(stage.of(VERIFY))
        if any(not x.over for x in stage.of(SAMPLE)) or asked == self._spec.verify:
            return None
        fit, tried = self._fit(stage), stage.tried()
        known = stage.known()
        front = _front(known[0].tobytes(), known[1].tobytes(), *known[1].shape, fit.logit)
        front = front[front.sum(axis=1) >= LEAST].round(DECIMALS)
        fresh = farthest_first(fit.outcomes(front), fit.outcomes(tried), 1)
        if fresh:
            why = f"On the front that {len(known[0])} evaluations predict"
            return self._launch(stage, front[fresh[0]], VERIFY, why)
        if self._spec.verify is not None:
            return None
        draws = self._draws(stage)
        lonely = draws[farthest_first(draws, tried, 1)[0]]
        return self._launch(stage, lonely, VERIFY, "Far from all, the predicted front is used up")

    def _fit(self, stage: MergeStage) -> Quadratics:
        return Quadratics.fitted(*stage.known(), logit=self._spec.logit)

    def _draws(self, stage: MergeStage) -> FloatArray:
        return latin_hypercube(CANDIDATES, len(stage.parents), rng_of(self._run_seed, "map"))

    def _launch(self, stage: MergeStage, coefficients: FloatArray, tag: str, why: str) -> Proposal:
        given = np.round(coefficients, DECIMALS)
        weights = mixture_weights(given, [p.weights for p in stage.parents])
        svd = self._spec.how == "svd" and self._spec.rank is not None
        merge = Merge(
            self._spec.how,
            tuple(p.snapshot for p in stage.parents),
            tuple(given.tolist()),
            (("rank", int(self._spec.rank or 0)),) if svd else (),
        )
        numbers = ", ".join(f"{c:.2f}" for c in given)
        reason = f"{why}: coefficients {numbers}, for {preference(weights, self._names)}."
        return merge_launch(merge, weights, self._run_seed, reason, ("map", tag))


def _top(stage: MergeStage) -> MergeNode | None:
    """Return the node of a pair for the next level; its better parent if the mixture failed."""
    chosen = stage.of(NODE)
    if not chosen or not chosen[0].over:
        return None
    towards = mixture_weights(np.ones(2), [p.weights for p in stage.parents]).array
    return chosen[0].node or max(stage.parents, key=lambda p: float(p.gains @ towards))


@lru_cache(maxsize=8)
def _front(mixtures: bytes, outcomes: bytes, n: int, m: int, logit: bool) -> FloatArray:
    """Return the predicted front of a fit; cached by its evaluations."""
    coefficients, gains = np.frombuffer(mixtures), np.frombuffer(outcomes).reshape(n, m)
    fit = Quadratics.fitted(coefficients.reshape(n, -1), gains, logit=logit)
    return predicted_front(fit, seed_of(mixtures.hex(), outcomes.hex()))
