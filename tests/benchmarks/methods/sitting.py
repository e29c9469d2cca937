"""One sitting: every arm on one task with one seed, one after the other in one process.

`python -m tests.benchmarks.methods.sitting TASK SEED FOLDER BUDGET_S [ARM …]` writes a JSON file
for each arm; an arm whose file is there is not run again.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from paretoflow.core.errors import ParetoflowError
from paretoflow.engine.state import SweepState
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.methods.arms import ARMS, TASKS
from tests.benchmarks.methods.inline import run_inline

MANY_RUNS = 400
"""More than any budget here pays for: the cost ends a sweep, not the number of its runs."""


def spec_of(task: str, arm: str, seed: int, folder: Path, budget_s: float) -> SweepSpec:
    """Return the sweep of an arm."""
    head = TASKS[task](folder / task)
    plain = {
        "name": arm,
        "seed": seed,
        "storage": str(folder / "sweeps" / f"{task}-{seed}"),
        # a price of 3600 an hour makes one second of one device cost one
        "engine": {"price": 3600},
        "stop": {"runs": MANY_RUNS, "cost": budget_s},
        **head,
        **ARMS[arm].fields(task),
    }
    return SweepSpec.model_validate(plain)


def outcome(state: SweepState, wall_s: float, budget_s: float) -> dict[str, Any]:
    """Return what an arm reached within the budget, and what it took."""
    within = [hv for _, device_s, hv in state.curve if device_s <= budget_s]
    return {
        "hypervolume": within[-1] if within else 0.0,
        "curve": [(device_s, hv) for _, device_s, hv in state.curve],
        "runs": state.finished,
        "failed": state.failed,
        "evaluations": len(state.evaluations),
        "front": state.front_size,
        "device_s": state.cost.device_s,
        "tokens": state.cost.tokens,
        "wall_s": wall_s,
    }


def sit(task: str, seed: int, folder: Path, budget_s: float, arms: list[str]) -> None:
    """Run the arms that have no result yet."""
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    for arm in arms:
        path = results / f"{task}-{seed}-{arm}.json"
        if path.exists():
            continue
        began = time.perf_counter()
        spec = spec_of(task, arm, seed, folder, budget_s)
        root = Path(spec.storage) / arm
        shutil.rmtree(root, ignore_errors=True)
        kept = Path(spec.storage) / "shared"  # the answers of the base: the same for all arms
        if kept.exists():
            shutil.copytree(kept, root / "shared")
        try:
            state = run_inline(spec)
        except ParetoflowError as error:
            path.write_text(json.dumps({"error": str(error)}), encoding="utf-8")
            continue
        path.write_text(
            json.dumps(outcome(state, time.perf_counter() - began, budget_s)), encoding="utf-8"
        )
        if not kept.exists():
            shutil.copytree(root / "shared", kept)
        shutil.rmtree(root)
        print(f"{task} {seed} {arm}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    sit(
        sys.argv[1],
        int(sys.argv[2]),
        Path(sys.argv[3]),
        float(sys.argv[4]),
        sys.argv[5:] or list(ARMS),
    )
