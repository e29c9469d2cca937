"""Constrained launches on the plants, with the controller of real runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray, LaunchKind, Proposal, WeightVector
from paretoflow.methods.constrained.constraint import ParentComparison, paired
from paretoflow.methods.constrained.dual import DualController
from paretoflow.methods.constrained.settling import Looks, search
from paretoflow.spec.methods import DualSpec
from paretoflow.spec.methods.base import look_every
from tests.benchmarks.constraints.plants import FAMILIES, Adam, Plant, rate_at

STEPS = (10, 20, 40, 100)
SLACKS = (0.03, 0.05, 0.1, 0.2)
BEFORE = DualSpec(
    every=5,
    draws=1,
    lr=1.0,
    lookahead=0,
    caution=0,
    checks=0,
    result="last",
    paired=False,
)


@dataclass(frozen=True)
class Outcome:
    """Of one launch: whether its result kept the thresholds on the eval prompts, within one
    standard error, and truly; and by how much the target changed, measured and truly."""

    kept: bool
    truly: bool
    gain: float
    true_gain: float
    miss: float
    looks: int


def train(
    plant: Plant,
    policy: FloatArray,
    weights: FloatArray,
    steps: int,
    seed: int,
    halfway: list[FloatArray] | None = None,
) -> FloatArray:
    """Return a policy after so many steps; the one halfway is put into a list."""
    rng, adam = np.random.default_rng((seed, 9)), Adam(plant.size)
    for step in range(1, steps + 1):
        gradient = plant.gradient(policy, weights, rng)
        policy = policy + adam.move(gradient, plant.rate * rate_at(step, steps))
        if halfway is not None and step == steps // 2:
            halfway.append(policy)
    return policy


def launch(spec: DualSpec, family: str, seed: int) -> Outcome:
    """Train a parent, then extend it as `spec` says."""
    rng = np.random.default_rng((seed, 3))
    steps, slack = int(rng.choice(STEPS)), float(rng.choice(SLACKS))
    plant: Plant = FAMILIES[family](seed, steps)
    w = rng.dirichlet(np.ones(plant.m))
    parent = train(plant, np.zeros(plant.size), w, steps, seed)
    target = int(rng.integers(plant.m))
    judged = plant.prompts(parent, "eval", 1)
    at_eval = judged.mean(axis=0)
    thresholds = at_eval - slack
    start = WeightVector.of(w + WeightVector.one_hot(plant.m, target).array)
    proposal = Proposal(
        LaunchKind.CONSTRAINED, start, seed, "", "", target=target, thresholds=tuple(thresholds)
    )
    known = at_eval if spec.paired else None
    controller = DualController(spec, proposal, np.ones(plant.m), known)
    result, looks = controlled(spec, plant, parent, steps, seed, controller)
    end = paired(steps, plant.prompts(result, "eval", 1), judged)
    truth = plant.true(result) - plant.true(parent)
    others = np.arange(plant.m) != target
    room = (end.change + slack)[others]
    return Outcome(
        kept=bool((room >= -end.stderr[others]).all()),
        truly=bool((truth[others] >= -slack - 1e-9).all()),
        gain=float(end.change[target]),
        true_gain=float(truth[target]),
        miss=float(max(0.0, -(truth + slack)[others].min())),
        looks=looks,
    )


class Steered:
    """A launch on a plant, looked at and settled as `methods.training.steering` does it."""

    def __init__(
        self, spec: DualSpec, plant: Plant, parent: FloatArray, controller: DualController
    ) -> None:
        self.spec, self.plant, self.controller = spec, plant, controller
        self.looks = Looks(controller.constraint)
        self.at_hand: dict[str, FloatArray] = {}
        base = plant.prompts(parent, "validation", spec.draws)
        self.base = base if spec.paired else np.zeros_like(base)
        if spec.paired:
            self.take(parent, self.look(parent, 0))

    def look(self, policy: FloatArray, step: int, share: float = 1.0) -> ParentComparison:
        """Look at a policy."""
        gains = self.plant.prompts(policy, "validation", self.spec.draws)
        return paired(step, gains, self.base, share)

    def take(self, policy: FloatArray, seen: ParentComparison) -> None:
        """Keep a policy at hand where it is worth it."""
        best, beyond = self.looks.take(seen)
        self.at_hand |= {"best": policy} if best else {}
        self.at_hand |= {"beyond": policy} if beyond else {}

    def settle(self, steps: int) -> FloatArray:
        """Return the launch's result."""
        constraint, best, beyond = self.controller.constraint, self.looks.best, self.looks.beyond
        assert best is not None
        low = self.at_hand["best"]
        worth = beyond is not None and constraint.gain(beyond) > constraint.gain(best)
        if beyond is None or not worth or not constraint.kept(best):
            return low
        way = self.at_hand["beyond"] - low
        found = search(
            constraint,
            best,
            beyond,
            self.spec.checks,
            lambda share: self.look(low + share * way, steps, share),
        )
        self.looks.taken += self.spec.checks
        return low if found is best else low + found.share * way


def controlled(
    spec: DualSpec,
    plant: Plant,
    parent: FloatArray,
    steps: int,
    seed: int,
    told: DualController,
    halfway: list[FloatArray] | None = None,
) -> tuple[FloatArray, int]:
    """Return a launch's result and the looks that it took; halfway as in `train`."""
    rng, adam = np.random.default_rng((seed, 11)), Adam(plant.size)
    run, policy, every = Steered(spec, plant, parent, told), parent, look_every(spec, steps)
    for step in range(1, steps + 1):
        gradient = plant.gradient(policy, told.weights, rng)
        policy = policy + adam.move(gradient, plant.rate * rate_at(step, steps))
        if step % every == 0 and step < steps:
            seen = run.look(policy, step)
            run.take(policy, seen)
            told.update(seen.change)
        if halfway is not None and step == steps // 2:
            halfway.append(policy)
    if spec.result == "last":
        return policy, run.looks.taken
    run.take(policy, run.look(policy, steps))
    return run.settle(steps), run.looks.taken
