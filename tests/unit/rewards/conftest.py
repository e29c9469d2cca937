from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretoflow.spec.rewards import RewardSpec

SHORT, LONG = ("No", "Yes.", "It is."), ("It is a list of keys.", "Nobody knows what it may hold.")


def rows(count: int, longer: bool) -> list[dict[str, Any]]:
    """Return pairs in which the longer, or the shorter, answer is the better one."""
    found = []
    for i in range(count):
        short, long = SHORT[i % len(SHORT)], LONG[i % len(LONG)]
        chosen, rejected = (long, short) if longer else (short, long)
        found.append({"prompt": f"Question {i}:", "chosen": chosen, "rejected": rejected})
    return found


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write rows as JSON lines into a file of the given name; return its path."""

    def write(name: str, found: list[dict[str, Any]]) -> str:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def make_spec(tmp_path: Path, write: Callable[..., str], tiny_base_dir: Path) -> Any:
    """Return a spec of two conflicting objectives on the tiny base; fields may be changed."""

    def make(**changes: Any) -> RewardSpec:
        fields: dict[str, Any] = {
            "pairs": [
                {"path": write("full.jsonl", rows(12, longer=True)), "objective": "full"},
                {"path": write("brief.jsonl", rows(10, longer=False)), "objective": "brief"},
            ],
            "output": str(tmp_path / "out"),
            "model": {"path": str(tiny_base_dir), "device": "cpu", "lora": {"rank": 2}},
            "steps": 3,
            "batch_size": 2,
            "max_length": 64,
            "held_out": 0.2,
        }
        return RewardSpec.model_validate(fields | changes)

    return make
