"""Constrained launches in MO-Gymnasium's tabular worlds: PPO, controlled as language models are.

Training follows the policy gradient of a weighted sum, with weights from multipliers or from the
barrier. Looks are episodes of the sampled policy with their own random numbers; other episodes
judge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from paretoflow.core.ids import seed_of
from paretoflow.core.values import FloatArray, LaunchKind, Proposal, WeightVector
from paretoflow.methods.constrained.constraint import ParentComparison, paired
from paretoflow.methods.constrained.dual import DualController
from paretoflow.methods.constrained.settling import Looks, search
from paretoflow.spec.methods import DualSpec
from paretoflow.spec.methods.base import look_every
from tests.benchmarks.constraints.simulated import Outcome
from tests.benchmarks.morl.policy import Policy
from tests.benchmarks.morl.ppo import Ppo, Runner
from tests.benchmarks.morl.spec import MorlSpec, load_job
from tests.benchmarks.morl.training import fresh_policy, last_age, scale_of, world_of

WORLDS = ("fruit_tree", "deep_sea_treasure")
SLACKS = (0.05, 0.1, 0.2)
LOOKED, JUDGED = 16, 64
"""Episodes of a look, and of the judgement."""


def sampled_returns(spec: MorlSpec, policy: Policy, episodes: int, seed: int) -> FloatArray:
    """Return discounted returns of the policy's own random actions, shape (episodes, m).

    The same seed draws the same random numbers, whatever the policy is.
    """
    world, gamma = world_of(spec, seed), spec.environment.gamma
    world.begin(episodes)
    rng, returns = np.random.default_rng(seed), np.zeros((episodes, world.objectives))
    live = np.ones(episodes, dtype=np.bool_)
    for age in range(last_age(spec)):
        with torch.inference_mode():
            chances = policy.actor(torch.from_numpy(world.features())).softmax(-1).double().numpy()
        edges = chances.cumsum(axis=1)
        actions = (rng.random((episodes, 1)) * edges[:, -1:] > edges).sum(axis=1)
        step = world.step(np.minimum(actions, chances.shape[1] - 1))
        returns += step.rewards * (gamma**age * live)[:, None]
        live &= ~step.ended
        if not live.any():
            break
        world.restart(step.ended)
    return np.asarray(returns)


@dataclass
class Game:
    """A launch in training.

    Args:
        policy: In training; its parent to begin with.
        dual: How it is controlled.
        proposal: With the thresholds.
        parent: The parent's returns as they were judged, shape (m,).
    """

    spec: MorlSpec
    policy: Policy
    dual: DualSpec
    proposal: Proposal
    parent: FloatArray

    def result(self) -> tuple[Policy, int]:
        """Train to the end; return the policy that the launch ends with, and its looks."""
        spec, dual, scale = self.spec, self.dual, scale_of(self.spec)
        method, m = spec.method, len(scale)
        known = self.parent if dual.paired else None
        self.told = DualController(dual, self.proposal, scale, known)
        self.looks, self.at_hand = Looks(self.told.constraint), {}
        self.base = self._returns() if dual.paired else np.zeros((LOOKED, m))
        if dual.paired:
            self._take(self._look(0))
        runner = Runner(
            world_of(spec, seed_of(self.proposal.seed, "play")),
            self.policy,
            method,
            scale,
            spec.environment.gamma,
            None,
        )
        discounts = np.append(np.full(m, spec.environment.gamma), 1.0)
        ppo = Ppo(self.policy, method, discounts, seed_of(self.proposal.seed, "learn"))
        for step in range(1, method.steps + 1):
            rollout, progress = runner.play(), (step - 1) / method.steps
            if step % look_every(dual, method.steps) == 0:
                self._control(step, rollout.returns)
            weights = self.told.weights + method.augment * progress
            ppo.improve(rollout, np.append(weights, 1.0), progress)
        if dual.result == "feasible":
            self._take(self._look(method.steps))
            self._settle(method.steps)
        return self.policy, self.looks.taken

    def _control(self, step: int, returns: FloatArray) -> None:
        if not self.dual.paired:
            if len(returns):
                self.told.update(returns.mean(axis=0) * scale_of(self.spec))
            return
        look = self._look(step)
        self.told.update(look.change)
        self._take(look)

    def _returns(self) -> FloatArray:
        return sampled_returns(self.spec, self.policy, LOOKED, seed_of(self.spec.seed, "look"))

    def _look(self, step: int, share: float = 1.0) -> ParentComparison:
        return paired(step, self._returns(), self.base, share)

    def _take(self, look: ParentComparison) -> None:
        best, beyond = self.looks.take(look)
        here = parameters_to_vector(self.policy.parameters()).detach().clone()
        self.at_hand |= {"best": here} if best else {}
        self.at_hand |= {"beyond": here} if beyond else {}

    def _put(self, share: float) -> None:
        low = self.at_hand["best"]
        way = self.at_hand.get("beyond", low) - low
        vector_to_parameters(low + share * way, self.policy.parameters())

    def _settle(self, steps: int) -> None:
        constraint, best, beyond = self.looks.constraint, self.looks.best, self.looks.beyond
        assert best is not None
        share = 0.0
        worth = beyond is not None and constraint.gain(beyond) > constraint.gain(best)
        if beyond is not None and worth and constraint.kept(best):

            def measure(share: float) -> ParentComparison:
                self._put(share)
                self.looks.taken += 1
                return self._look(steps, share)

            found = search(constraint, best, beyond, self.dual.checks, measure)
            share = 0.0 if found is best else found.share
        self._put(share)


def launch(dual: DualSpec, world: str, seed: int) -> Outcome:
    """Train a parent in a world, then extend it as `dual` says."""
    rng = np.random.default_rng((seed, 5))
    spec = load_job(world, seed=seed)
    scale, m = scale_of(spec), len(spec.objectives)
    weights, slack = WeightVector.of(rng.dirichlet(np.ones(m))), float(rng.choice(SLACKS))
    target = int(rng.integers(m))
    parent = fresh_policy(spec, seed)
    plain = Proposal(LaunchKind.WEIGHTED, weights, seed, "", "")
    Game(spec, parent, DualSpec(result="last"), plain, np.zeros(m)).result()
    parent.soften(spec.method.warmth)
    judge = seed_of(seed, "judge")
    before = sampled_returns(spec, parent, JUDGED, judge)
    bounds = before.mean(axis=0) - slack * scale
    start = WeightVector.of(weights.array + WeightVector.one_hot(m, target).array)
    asked = Proposal(
        LaunchKind.CONSTRAINED, start, seed, "", "", target=target, thresholds=tuple(bounds)
    )
    policy, looks = Game(spec, parent, dual, asked, before.mean(axis=0)).result()
    after = sampled_returns(spec, policy, JUDGED, judge)
    change = paired(0, after / scale, before / scale)
    others = np.arange(m) != target
    room = (change.change + slack)[others]
    return Outcome(
        kept=bool((room >= -change.stderr[others]).all()),
        truly=bool((change.change[others] >= -slack - 1e-9).all()),
        gain=float(change.change[target]),
        true_gain=float(change.change[target]),
        miss=float(max(0.0, -room.min())),
        looks=looks,
    )
