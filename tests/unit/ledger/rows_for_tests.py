"""Events and fronts to write in the ledger's tests, and where their log lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paretoflow.ledger.tables import Event, EventKind, FrontRecord


def evaluated(index: int, **changes: Any) -> Event:
    values: dict[str, Any] = {
        "event_id": f"evaluated:r{index:04d}:0:10",
        "kind": EventKind.EVALUATED,
        "time_s": 1_700_000_000.25 + index,
        "run_id": f"r{index:04d}",
        "snapshot_id": f"r{index:04d}-a0-s0010",
        "step": 10,
        "scores": (0.1 * index, -1.5),
        "stderr": (0.01, 0.02),
        "prompt_scores": ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0)),
        "n": 3,
        "weights": (0.25, 0.75),
        "path": f"runs/r{index:04d}/adapter",
        "digest": "ab" * 32,
        "wall_s": 1.5,
        "device_s": 0.75,
        "tokens": 3_000_000_000,
        "payload": {"seed": index},
    }
    return Event(**(values | changes))


def front(number: int, **changes: Any) -> FrontRecord:
    values: dict[str, Any] = {
        "number": number,
        "time_s": 1_700_000_000.0,
        "ledger_seq": 7,
        "runs_finished": 3,
        "hypervolume": 0.1 + 0.2,
        "hypervolume_low": 0.1,
        "hypervolume_high": 0.5,
        "ref_scores": (-1.0, 0.0),
        "snapshot_ids": ("r0000-a0-s0010", "r0001-a0-s0010"),
        "spec_digest": "cd" * 32,
        "code_version": "0.1.0",
    }
    return FrontRecord(**(values | changes))


def log_of(folder: Path, table: str = "events") -> Path:
    return folder / "ledger" / table / "_delta_log"


def last_entry(folder: Path) -> Path:
    return max(p for p in log_of(folder).glob("*.json"))
