"""Specs for simulated sweeps."""

from __future__ import annotations

from typing import Any

from paretoflow.spec.sweep import SweepSpec


def circle_spec(**changes: Any) -> SweepSpec:
    """Two maximised objectives in [0, 1]; `changes` replace top-level keys."""
    objective = {
        "type": "regex",
        "pattern": "x",
        "direction": "maximize",
        "range": [0, 1],
        "ref": -0.1,
    }
    plain: dict[str, Any] = {
        "name": "circle",
        "seed": 3,
        "objectives": [{"name": "left", **objective}, {"name": "right", **objective}],
        "proposer": {"type": "empty_box"},
        "stop": {"runs": 16},
        "engine": {"worker_groups": 4},
    }
    return SweepSpec.model_validate(plain | changes)
