"""An oracle that behaves like fine-tuning a language model, for trials without any training.

It models properties of real sweeps that textbook fronts lack:

    saturating      scores are shares of answers that pass; near 0 and 1 training moves little
    interfering     raising one objective lowers the others, except along a common direction
    collapsing      objectives learn at different speeds, so that most weights end at one point
    unfinished      a run is a fixed number of steps; further training from its end goes further
    a tax           far from the base, every objective gets worse
    prompts         a score is a mean over prompts, some hard for every policy and objective alike
    seeds           the same launch ends elsewhere each time

The truth is known: `LlmLikeOracle.truth` returns a policy's scores over infinitely many prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.core.ids import rng_of
from paretoflow.core.values import FloatArray, LaunchKind, Problem, Proposal
from paretoflow.engine.oracles import OracleCheckpoint, Snapshot, TrainingTask
from paretoflow.front.orient import ideal_gains, nadir_gains, scores_of

STEP = 0.1
"""Length of one step, in a space where the ends of the front are 4 to 10 from the base."""
NOISE = 0.4
"""Length of a step's random part, as a share of the step."""
DUAL_RATE, DUAL_CEILING = 10.0, 20.0
RUN_S, RUN_SPREAD = 60.0, 0.3
"""Median virtual seconds of a run, and the spread of their logarithm."""
MERGE_S = 5.0
NODES, ODDS = np.polynomial.hermite_e.hermegauss(15)
"""Nodes and weights of Gauss-Hermite quadrature, for means over a standard normal."""


@dataclass(frozen=True)
class Prompts:
    """The prompts that policies are scored on.

    Args:
        count: Number of prompts that every checkpoint is scored on.
        answers: Number of answers to each; a prompt's score is the share that passes.
        spread: Standard deviation of the prompts' difficulty, in logits.
        shared: Share of the difficulty's variance that all objectives have in common.
        quirk: Spread of policies' results on the same prompt, in logits for a policy at distance
            one from the base; at 0, prompts cancel where policies are compared.
        seed: Seed of the prompts; None uses the world's.
    """

    count: int = 48
    answers: int = 2
    spread: float = 1.0
    shared: float = 0.5
    quirk: float = 0.3
    seed: int | None = None


@dataclass(frozen=True)
class World:
    """The objectives as functions of a policy, and the prompts, both fixed before any training.

    A policy is a point x of a latent space, the base its origin. On prompt j, objective i passes
    with the chance

        p_ij(x) = sigmoid(start_i + slope_i . x - tax / 2 |x|^2 + hard_ij + quirk_ij . x).

    Args:
        starts: Logits of the base, shape (m,).
        slopes: Shape (m, d).
        hard: Offset of each prompt in logits, larger for easier prompts, shape (m, n).
        quirks: Further dependence of a prompt on the policy, shape (m, n, d).
        spread: Standard deviation of `hard` over all prompts.
        quirk: Standard deviation of each entry of `quirks`.
        tax: Coefficient of the squared distance from the base, see above.
    """

    starts: FloatArray
    slopes: FloatArray
    hard: FloatArray
    quirks: FloatArray
    spread: float
    quirk: float
    tax: float

    def means(self, x: FloatArray) -> FloatArray:
        """Return the chances over infinitely many prompts, shape (..., m), of policies (..., d)."""
        sizes = (x**2).sum(axis=-1)[..., None]
        logits = self.starts + x @ self.slopes.T - self.tax / 2 * sizes
        sd = np.sqrt(self.spread**2 + self.quirk**2 * sizes)
        chances = _sigmoid(logits[..., None] + sd[..., None] * NODES)
        return np.asarray(chances @ ODDS / ODDS.sum(), dtype=np.float64)

    def on_prompts(self, x: FloatArray) -> FloatArray:
        """Return one policy's chances on each prompt, shape (m, n)."""
        logits = self.starts + self.slopes @ x - self.tax / 2 * (x @ x)
        return _sigmoid(logits[:, None] + self.hard + self.quirks @ x)

    def slope(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the gradient of a weighted sum of the chances, shape (d,)."""
        chances = self.means(x)
        return np.asarray((weights * chances * (1 - chances)) @ (self.slopes - self.tax * x))


class LlmLikeOracle:
    """Trains synthetic policies; see the module. Any number of objectives and any ranges work.

    A weighted run takes steps up the weighted sum of the chances, from the base or its parent. A
    constrained run raises its target and keeps the other objectives, by multipliers that follow
    each threshold's shortfall. A merge mixes its parents' policies.

    Args:
        seed: Seed of the world, which holds the objectives as functions of a policy.
        prompts: The prompts that policies are scored on.
        steps: Number of steps of a run.
        looks: Number of checkpoints of a run, equally far apart, the last at its end.
    """

    def __init__(
        self, seed: int = 0, *, prompts: Prompts | None = None, steps: int = 20, looks: int = 2
    ) -> None:
        self._seed, self._steps = seed, steps
        self._prompts = prompts or Prompts()
        self._looks = {steps * (i + 1) // looks for i in range(looks)}
        self._worlds: dict[int, World] = {}

    def world(self, m: int) -> World:
        """Return the world for m objectives, the same at each call."""
        if m not in self._worlds:
            self._worlds[m] = made_world(m, self._seed, self._prompts)
        return self._worlds[m]

    def base(self, problem: Problem, rng: np.random.Generator) -> OracleCheckpoint:
        """Return the evaluation of the untrained model."""
        world = self.world(problem.m)
        return self._scored(np.zeros(world.slopes.shape[1]), problem, 0.0, rng)

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Return a run's checkpoints; their states are policies, shape (d,), with the problem."""
        problem, proposal = task.problem, task.proposal
        if proposal.merge is not None:
            shares = np.array(proposal.merge.coefficients)
            x = shares @ np.array([state[0] for state in task.mixed])
            return [self._scored(x, problem, MERGE_S, rng)]
        world = self.world(problem.m)
        x = np.zeros(world.slopes.shape[1]) if task.start is None else task.start[0]
        found = []
        pull = _Pull(proposal, problem)
        cost = float(rng.lognormal(np.log(RUN_S), RUN_SPREAD)) / len(self._looks)
        for step in range(1, self._steps + 1):
            up = _unit(world.slope(x, pull.weights(world.means(x))))
            x = x + STEP * (up + NOISE * _unit(rng.standard_normal(len(x))))
            if step in self._looks:
                found.append(self._scored(x, problem, cost, rng))
        return found

    def evaluate(self, snapshot: Snapshot, rng: np.random.Generator) -> OracleCheckpoint:
        """Return a policy's scores on the same prompts with other answers."""
        x, problem = snapshot.state
        return self._scored(x, problem, MERGE_S, rng)

    def truth(self, state: tuple[FloatArray, Problem]) -> FloatArray:
        """Return a checkpoint's raw scores over infinitely many prompts, shape (m,)."""
        x, problem = state
        return _scores(self.world(problem.m).means(x), problem)

    def front(self, problem: Problem, count: int = 1000) -> FloatArray:
        """Return raw scores of nearly optimal policies, shape (count, m).

        For small quirks, a policy is optimal for some mixture of the logits, at x = the mixture's
        slope over the tax.
        """
        world = self.world(problem.m)
        mixtures = rng_of("llm_like front").dirichlet(np.ones(problem.m), count)
        return _scores(world.means(mixtures @ world.slopes / world.tax), problem)

    def _scored(
        self, x: FloatArray, problem: Problem, cost: float, rng: np.random.Generator
    ) -> OracleCheckpoint:
        chances = self.world(problem.m).on_prompts(x)
        passed = rng.binomial(self._prompts.answers, chances) / self._prompts.answers
        return OracleCheckpoint(
            cost, prompt_scores=_scores(passed.T, problem).T, state=(x, problem)
        )


class _Pull:
    """The weight of each objective, step by step; all gains are shares of the ranges."""

    def __init__(self, proposal: Proposal, problem: Problem) -> None:
        self._weights = proposal.weights.array
        self._target = None
        if proposal.kind is LaunchKind.CONSTRAINED:
            assert proposal.target is not None
            assert proposal.thresholds is not None
            low, high = nadir_gains(problem), ideal_gains(problem)
            self._target = proposal.target
            self._bounds = (np.array(proposal.thresholds) - low) / (high - low)
            self._weights = self._weights / max(self._weights[self._target], 1 / DUAL_CEILING)

    def weights(self, shares: FloatArray) -> FloatArray:
        """Return the weights for the next step, shape (m,), from the policy's current gains."""
        if self._target is not None:
            moved = self._weights + DUAL_RATE * (self._bounds - shares)
            self._weights = np.clip(moved, 0.0, DUAL_CEILING)
            self._weights[self._target] = 1.0
        return np.asarray(self._weights / self._weights.sum(), dtype=np.float64)


SPEEDS = (1.6, 0.5)
"""Slopes of the fastest and of the slowest objective."""
TOGETHER, AGAINST = 0.5, 0.6
"""Share of a slope in the direction that all objectives have in common, and against the others."""
TAX = 0.12
"""Tax as a share of the largest slope."""
EASIEST, HARDEST = -0.2, -1.6
"""Range of the base's logits."""


def made_world(m: int, seed: int, prompts: Prompts) -> World:
    """Draw a world for m objectives, and its prompts."""
    rng = rng_of("llm_like", seed, m)
    d = m + 2
    axes = np.linalg.qr(rng.standard_normal((d, d)))[0]
    own, common = axes[:m], axes[m]
    speeds = rng.permutation(np.geomspace(*SPEEDS, m))
    against = (own.sum(axis=0) - own) / max(m - 1, 1)
    slopes = speeds[:, None] * (own + TOGETHER * common - AGAINST * against)
    starts = rng.uniform(HARDEST, EASIEST, m)
    if prompts.seed is not None:
        rng = rng_of("llm_like prompts", seed, m, prompts.seed)
    of_all, n = rng.standard_normal(prompts.count), prompts.count
    of_each = np.sqrt(1 - prompts.shared) * rng.standard_normal((m, n))
    hard = prompts.spread * (np.sqrt(prompts.shared) * of_all + of_each)
    quirks = prompts.quirk * rng.standard_normal((m, n, d))
    tax = TAX * float(speeds.max())
    return World(starts, slopes, hard, quirks, prompts.spread, prompts.quirk, tax)


def _scores(shares: FloatArray, problem: Problem) -> FloatArray:
    """Return raw scores, (n, m) or (m,), of shares of the ranges, 1 the ideal end."""
    low, high = nadir_gains(problem), ideal_gains(problem)
    return scores_of(low + shares * (high - low), problem)


def _sigmoid(logits: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), dtype=np.float64)
