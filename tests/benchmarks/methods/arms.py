"""What is compared: each method in its plain form, with the same steps, batch and evaluations.

Only the learning rate may be each method's own, since losses differ in scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paretoflow.methods.aggregators import TAGS as AGGREGATIONS
from paretoflow.methods.combiners import COMBINERS
from tests.benchmarks.methods.letters import make_task

RUNS = 5
"""Trained runs of a method that gives a point for each: a lattice of five weights."""
TRAINING: dict[str, dict[str, Any]] = {
    "letters": {"steps": 100, "batch_size": 16, "checkpoint_every": 25},
    "embedded": {"steps": 10, "batch_size": 4, "checkpoint_every": 10},
}
"""What each run of all methods is told on a task."""
RATES: dict[str, tuple[float, ...]] = {
    "letters": (3e-4, 1e-3, 3e-3),
    "embedded": (7e-4,),
}
"""Learning rates of a task; with several, each arm's is chosen with a seed of its own."""


@dataclass(frozen=True)
class Arm:
    """A method and who chooses its launches.

    Args:
        runs: Launches; those that merge train nothing.
        longer: How many runs' steps one run has: a continuum trains once, for as many steps as five
            runs together.
    """

    method: dict[str, Any]
    proposer: dict[str, Any] = field(default_factory=lambda: {"type": "lattice"})
    runs: int = RUNS
    longer: int = 1

    def fields(self, task: str, learning_rate: float) -> dict[str, Any]:
        """Return the arm's part of a sweep."""
        told = TRAINING[task] | {"learning_rate": learning_rate} | self.method
        told["steps"] *= self.longer
        told["checkpoint_every"] *= self.longer
        return {"method": told, "proposer": self.proposer, "stop": {"runs": self.runs}}


def embedded(folder: Path) -> dict[str, Any]:
    """Return the head of the quickstart's sweep."""
    return {
        "model": {"type": "embedded", "generation": {"temperature": 0.7}},
        "data": {"type": "pydoc", "train": 64, "eval": 32, "validation": 8, "candidates": 6},
        "objectives": [
            {
                "name": "coverage",
                "type": "rouge",
                "variant": "rouge1",
                "measure": "recall",
                "direction": "maximize",
                "unit": "share",
                "range": [0, 1],
                "ref": 0,
            },
            {
                "name": "conciseness",
                "type": "length",
                "count": "words",
                "direction": "minimize",
                "unit": "words",
                "range": [0, 60],
                "ref": 60,
            },
        ],
    }


TASKS: dict[str, Callable[[Path], dict[str, Any]]] = {"letters": make_task, "embedded": embedded}

OFFLINE = ("dpo", "ln_dpo", "ipo", "rpo", "f_dpo", "mm_dpo", "modpo", "lipo", "bco", "pro")
CONTINUUM = ("ric", "dpa", "meet", "mah_dpo")
MERGES: dict[str, tuple[dict[str, Any], int]] = {
    "soups": ({"type": "soups"}, 2 + RUNS),
    "soups, factors": ({"type": "soups", "how": "factors"}, 2 + RUNS),
    "soups, frank_wolfe": ({"type": "soups", "how": "frank_wolfe"}, 2 + RUNS),
    "map": ({"type": "map"}, 2 + 2 * RUNS),
}


def _arms() -> dict[str, Arm]:
    arms = {tag: Arm({"type": tag}) for tag in OFFLINE}
    arms["modpo, soft labels"] = Arm({"type": "modpo", "labels": "soft"})
    for tag in sorted(COMBINERS):
        arms[f"gradient_dpo, {tag}"] = Arm({"type": "gradient_dpo", "combiner": tag})
    for tag in sorted(AGGREGATIONS):
        arms[f"grpo, {tag}"] = Arm({"type": "grpo", "aggregation": tag})
    arms["rloo"] = Arm({"type": "rloo"})
    arms["grao"] = Arm({"type": "grao"})
    arms["ipo_md"] = Arm({"type": "ipo_md"})
    for tag in CONTINUUM:
        served = {"type": tag, "serve": {"points": RUNS}}
        arms[tag] = Arm(served, runs=1, longer=RUNS)
    for name, (proposer, runs) in MERGES.items():
        arms[f"dpo, {name}"] = Arm({"type": "dpo"}, proposer, runs)
    arms["dpo, empty_box"] = Arm({"type": "dpo"}, {"type": "auto"})
    return arms


ARMS = _arms()
"""Name in the table to arm."""
