"""Arms of the comparison: each method in its plain form, with equal steps, batch and evaluations.

Only the learning rate may differ between methods, since losses differ in scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paretoflow.methods.gradients.combiners import COMBINERS
from paretoflow.methods.online.aggregators import TAGS as AGGREGATIONS
from tests.benchmarks.methods.letters import make_task

RUNS = {"letters": 5, "embedded": 3}
"""Trained runs of a method that gives a point for each: a lattice of so many weights."""
EXPERTS = 2
"""Trained runs before the mixtures of a merge: one for each objective."""
TRAINING: dict[str, dict[str, Any]] = {
    "letters": {"steps": 100, "batch_size": 16, "checkpoint_every": 25},
    "embedded": {"steps": 10, "batch_size": 4, "checkpoint_every": 10},
}
"""Options of each run on a task, equal for all methods."""
RATES: dict[str, tuple[float, ...]] = {
    "letters": (3e-4, 1e-3, 3e-3),
    "embedded": (7e-4,),
}
"""Learning rates of a task; with several, each arm's is chosen with a seed of its own."""
_HOT = ("chebyshev", "grad_dynamic", "hv_dynamic", "linear", "log_sigmoid", "pama_scalar")
CHOSEN: dict[str, dict[str, float]] = {
    "letters": {
        **{f"grpo, {tag}": 3e-3 for tag in _HOT},
        **dict.fromkeys(("grao", "ric", "dpa", "meet"), 3e-3),
        "mah_dpo": 1e-3,
        "": 1e-3,
    },
}
"""Learning rates chosen by tuning all arms; "" is for all others. `--tune` chooses them again."""


@dataclass(frozen=True)
class Arm:
    """A method and who chooses its launches.

    Args:
        mixtures: Mixtures of two experts for each run that other arms train; 0 for no merging.
        continuum: Whether one run answers to many preferences: it trains once, for as many steps as
            the runs of other arms together, and is asked for as many preferences.
    """

    method: dict[str, Any]
    proposer: dict[str, Any] = field(default_factory=lambda: {"type": "lattice"})
    mixtures: int = 0
    continuum: bool = False

    def fields(self, task: str, learning_rate: float) -> dict[str, Any]:
        """Return the arm's part of a sweep."""
        runs = launches = RUNS[task]
        told = TRAINING[task] | {"learning_rate": learning_rate} | self.method
        if self.continuum:
            told |= {"serve": {"points": runs}}
            told |= {key: runs * told[key] for key in ("steps", "checkpoint_every")}
            launches = 1
        elif self.mixtures:
            launches = EXPERTS + self.mixtures * runs
        return {"method": told, "proposer": self.proposer, "stop": {"runs": launches}}


def embedded(folder: Path) -> dict[str, Any]:
    """Return the head of the quickstart's sweep."""
    return {
        "model": {"type": "embedded", "generation": {"temperature": 0.7}},
        "data": {"type": "pydoc", "train": 48, "eval": 32, "validation": 8, "candidates": 6},
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
    "soups": ({"type": "soups"}, 1),
    "soups, factors": ({"type": "soups", "how": "factors"}, 1),
    "soups, frank_wolfe": ({"type": "soups", "how": "frank_wolfe"}, 1),
    "map": ({"type": "map"}, 2),
}


def _arms() -> dict[str, Arm]:
    arms = {tag: Arm({"type": tag}) for tag in OFFLINE}
    arms["modpo, hard labels"] = Arm({"type": "modpo", "labels": "hard"})
    arms["dpo, beta 0.1 to the end"] = Arm({"type": "dpo", "beta": 0.1, "early_stop": None})
    for tag in sorted(COMBINERS):
        arms[f"gradient_dpo, {tag}"] = Arm({"type": "gradient_dpo", "combiner": tag})
    for tag in sorted(AGGREGATIONS):
        arms[f"grpo, {tag}"] = Arm({"type": "grpo", "aggregation": tag})
    arms["rloo"] = Arm({"type": "rloo"})
    arms["grao"] = Arm({"type": "grao"})
    arms["ipo_md"] = Arm({"type": "ipo_md"})
    for tag in CONTINUUM:
        arms[tag] = Arm({"type": tag}, continuum=True)
    for name, (proposer, mixtures) in MERGES.items():
        arms[f"dpo, {name}"] = Arm({"type": "dpo"}, proposer, mixtures)
    arms["dpo, empty_box"] = Arm({"type": "dpo"}, {"type": "empty_box"})
    return arms


ARMS = _arms()
"""Name in the table to arm."""
