"""What is compared: each method in its plain form, at the same learning rate, steps and batch.

Nothing is tuned for a task, so a method can look worse here than its paper says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.methods.letters import make_task

LATTICE = {"type": "lattice", "divisions": 8}
TRAINING: dict[str, dict[str, Any]] = {
    "letters": {"steps": 30, "batch_size": 16, "learning_rate": 3e-3},
    "embedded": {"steps": 10, "learning_rate": 7e-4},
}
"""What all methods are told on a task."""


@dataclass(frozen=True)
class Arm:
    """A method and who chooses its launches."""

    method: dict[str, Any]
    proposer: dict[str, Any] = field(default_factory=lambda: LATTICE)

    def fields(self, task: str) -> dict[str, Any]:
        """Return the arm's part of a sweep."""
        return {"method": TRAINING[task] | self.method, "proposer": self.proposer}


def embedded(folder: Path) -> dict[str, Any]:
    """Return the head of the quickstart's sweep."""
    return {
        "model": {"type": "embedded", "generation": {"temperature": 0.7}},
        "data": {"type": "pydoc", "candidates": 6},
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

ARMS: dict[str, Arm] = {
    "dpo": Arm({"type": "dpo"}),
    "modpo": Arm({"type": "modpo"}),
    "grpo": Arm({"type": "grpo"}),
}
"""Name in the table to arm."""
