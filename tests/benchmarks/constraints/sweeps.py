"""Whole sweeps of C-MORL's arms on the plants, with the former and the present controller.

The cost of a launch is counted in answers, in the proportions that the quickstart measured on a
CPU: an evaluation costs 48 (each run has two, as there), a look 16 for each draw, a training step
2. `before` gets runs until it has cost as much as the other arms, so that volumes are compared at
equal cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from paretoflow.core.values import FloatArray, LaunchKind, Problem
from paretoflow.engine.oracles import OracleCheckpoint, TrainingTask
from paretoflow.engine.session.simulate import simulate
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.methods.constrained.dual import DualController
from paretoflow.spec.methods import DualSpec
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.constraints.plants import FAMILIES, Plant
from tests.benchmarks.constraints.simulated import STEPS, controlled, train

STEP_ANSWERS, LOOK_ANSWERS, EVALUATION_ANSWERS = 2, 16, 48
MORE = 3
"""`before` is given so many times the runs; what it did beyond the same cost is left out."""


class PlantOracle:
    """Trains on a plant, and remembers what everything cost and what it was truly worth."""

    def __init__(self, plant: Plant, steps: int, spec: DualSpec) -> None:
        self.plant, self.steps, self.spec = plant, steps, spec
        self.rows: list[tuple[float, FloatArray, FloatArray]] = []
        """Of each checkpoint: its cost in answers, and the measured and the true gains."""

    def base(self, problem: Problem, rng: np.random.Generator) -> OracleCheckpoint:
        """Return the untrained policy."""
        return self._seen(np.zeros(self.plant.size))

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Train from zero towards weights, or a parent within its thresholds."""
        told, seed = task.proposal, int(rng.integers(2**31))
        start = np.zeros(self.plant.size) if task.start is None else task.start
        looks, policies = 0, list[FloatArray]()
        if told.kind is LaunchKind.CONSTRAINED:
            known = self.plant.prompts(start, "eval", 1).mean(axis=0) if self.spec.paired else None
            control = DualController(self.spec, told, np.ones(self.plant.m), known)
            end, looks = controlled(
                self.spec, self.plant, start, self.steps, seed, control, policies
            )
        else:
            end = train(self.plant, start, told.weights.array, self.steps, seed, policies)
        return self._told([*policies, end], looks)

    def _told(self, policies: list[FloatArray], looks: int) -> list[OracleCheckpoint]:
        points = [self._seen(policy) for policy in policies]
        trained = STEP_ANSWERS * self.steps + LOOK_ANSWERS * self.spec.draws * looks
        for policy, point in zip(policies, points, strict=True):
            measured = np.mean(point.prompt_scores, axis=1)
            cost = EVALUATION_ANSWERS + trained / len(points)
            self.rows.append((cost, measured, self.plant.true(policy)))
        return points

    def _seen(self, policy: FloatArray) -> OracleCheckpoint:
        return OracleCheckpoint(
            1.0, prompt_scores=self.plant.prompts(policy, "eval", 1).T, state=policy
        )


def sweep(spec: DualSpec, family: str, proposer: str, runs: int, seed: int) -> PlantOracle:
    """Return the oracle of a finished sweep."""
    steps = int(np.random.default_rng((seed, 4)).choice(STEPS))
    plant: Plant = FAMILIES[family](seed, steps)
    shape = {"type": "regex", "pattern": "x", "direction": "maximize", "range": [0, 1], "ref": 0}
    oracle = PlantOracle(plant, steps, spec)
    simulate(
        SweepSpec.model_validate(
            {
                "name": "plants",
                "seed": seed,
                "objectives": [{"name": f"o{i}", **shape} for i in range(plant.m)],
                "proposer": {"type": proposer},
                "stop": {"runs": runs},
                "engine": {"workers": 2},
            }
        ),
        oracle,
    )
    return oracle


def volume(rows: Sequence[tuple[float, FloatArray, FloatArray]], budget: float) -> float:
    """Return the true hypervolume of the front that the measured scores claim, within a cost."""
    spent = np.cumsum([cost for cost, _, _ in rows])
    within = [row for row, cost in zip(rows, spent, strict=True) if cost <= budget + 1e-9]
    measured = np.array([m for _, m, _ in within])
    true = np.array([t for _, _, t in within])
    claimed = true[nondominated(measured)]
    return float(hypervolume(claimed, np.zeros(claimed.shape[1])))


def compared(
    arms: dict[str, DualSpec], family: str, proposer: str, runs: int, seed: int
) -> dict[str, Any]:
    """Return each arm's volume over that of `before` at equal cost, and at equal runs."""
    first = sweep(arms["before"], family, proposer, runs, seed)
    longer = sweep(arms["before"], family, proposer, MORE * runs, seed)
    told: dict[str, Any] = {}
    for arm, spec in arms.items():
        if arm == "before":
            continue
        found = sweep(spec, family, proposer, runs, seed)
        cost = sum(row[0] for row in found.rows)
        own = volume(found.rows, cost)
        at_cost = max(volume(longer.rows, cost), volume(first.rows, cost))
        if at_cost <= 0:  # nothing there to compare with
            continue
        told[arm] = {
            "equal cost": own / at_cost - 1,
            "equal runs": own / volume(first.rows, np.inf) - 1,
            "price": cost / sum(row[0] for row in first.rows),
        }
    return told
