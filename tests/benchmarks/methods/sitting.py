"""One sitting: every arm on one task with one seed, one after the other in one process.

`python -m tests.benchmarks.methods.sitting TASK SEED FOLDER [ARM …]` writes a JSON file
for each arm; an arm whose file is there is not run again.
"""

from __future__ import annotations

import json
import re
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


def spec_of(task: str, arm: str, seed: int, folder: Path) -> SweepSpec:
    """Return the sweep of an arm."""
    head = TASKS[task](folder / task)
    plain = {
        "name": re.sub(r"\W+", "-", arm),
        "seed": seed,
        "storage": str(folder / "sweeps" / f"{task}-{seed}"),
        **head,
        **ARMS[arm].fields(task),
    }
    return SweepSpec.model_validate(plain)


def outcome(state: SweepState, wall_s: float) -> dict[str, Any]:
    """Return what an arm reached, and what it took."""
    return {
        "hypervolume": state.hypervolume,
        "curve": [(device_s, hv) for _, device_s, hv in state.curve],
        "runs": state.finished,
        "failed": state.failed,
        "evaluations": len(state.evaluations),
        "front": state.front_size,
        "device_s": state.cost.device_s,
        "tokens": state.cost.tokens,
        "wall_s": wall_s,
    }


def sit(task: str, seed: int, folder: Path, arms: list[str]) -> None:
    """Run the arms that have no result yet."""
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    for arm in arms:
        path = results / f"{task}-{seed}-{arm}.json"
        if path.exists():
            continue
        began = time.perf_counter()
        spec = spec_of(task, arm, seed, folder)
        root = Path(spec.storage) / spec.name
        shutil.rmtree(root, ignore_errors=True)
        kept = Path(spec.storage) / "shared"  # the answers of the base: the same for all arms
        if kept.exists():
            shutil.copytree(kept, root / "shared")
        try:
            state = run_inline(spec)
        except ParetoflowError as error:
            path.write_text(json.dumps({"error": str(error)}), encoding="utf-8")
            continue
        path.write_text(json.dumps(outcome(state, time.perf_counter() - began)), encoding="utf-8")
        if not kept.exists():
            shutil.copytree(root / "shared", kept)
        shutil.rmtree(root)
        print(f"{task} {seed} {arm}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    sit(
        sys.argv[1],
        int(sys.argv[2]),
        Path(sys.argv[3]),
        sys.argv[4:] or list(ARMS),
    )
