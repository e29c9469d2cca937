"""One sitting: all arms on one task with one seed, one after the other in one process.

`python -m tests.benchmarks.methods.sitting TASK SEED FOLDER [ARM …]` writes a JSON file for each
arm; an arm with a file is not run again.
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
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.methods.arms import ARMS, CHOSEN, RATES, TASKS
from tests.benchmarks.methods.inline import run_inline

TUNING_SEED = 100
"""Tells the learning rates apart; none of the reported seeds."""


def spec_of(task: str, arm: str, seed: int, folder: Path, rate: float) -> SweepSpec:
    """Return the sweep of an arm."""
    head = TASKS[task](folder / task)
    plain = {
        "name": re.sub(r"\W+", "-", arm),
        "seed": seed,
        "storage": str(folder / "sweeps" / f"{task}-{seed}"),
        **head,
        **ARMS[arm].fields(task, rate),
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


def sit(task: str, seed: int, folder: Path, arms: list[str], *, tune: bool = False) -> None:
    """Run the arms that have no result yet, each at its best learning rate."""
    for arm in arms:
        if not result_path(folder, task, seed, arm).exists():
            rate = best_rate(task, folder, arm) if tune else chosen_rate(task, arm)
            run_arm(task, seed, folder, arm, rate, result_path(folder, task, seed, arm))


def result_path(folder: Path, task: str, seed: int, arm: str) -> Path:
    """Return where the outcome of an arm is kept."""
    return folder / "results" / f"{task}-{seed}-{arm}.json"


def chosen_rate(task: str, arm: str) -> float:
    """Return the arm's learning rate of an earlier tuning, or the task's only one."""
    chosen = CHOSEN.get(task, {"": RATES[task][0]})
    return chosen.get(arm, chosen[""])


def best_rate(task: str, folder: Path, arm: str) -> float:
    """Return the arm's learning rate of the largest hypervolume with the seed for tuning."""
    if len(RATES[task]) == 1:
        return RATES[task][0]
    found: dict[float, float] = {}
    for rate in RATES[task]:
        path = folder / "results" / f"{task}-tuning-{rate}-{arm}.json"
        if not path.exists():
            run_arm(task, TUNING_SEED, folder, arm, rate, path)
        told = json.loads(path.read_text(encoding="utf-8"))
        found[rate] = told.get("hypervolume", 0.0)
    return max(found, key=lambda rate: found[rate])


def run_arm(task: str, seed: int, folder: Path, arm: str, rate: float, path: Path) -> None:
    """Run an arm, and keep what came of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    spec = spec_of(task, arm, seed, folder, rate)
    root = Path(spec.storage) / spec.name
    shutil.rmtree(root, ignore_errors=True)
    kept = Path(spec.storage) / "shared"  # the answers of the base: the same for all arms
    if kept.exists():
        shutil.copytree(kept, root / "shared")
    try:
        state = run_inline(spec)
    except ParetoflowError as error:
        path.write_text(json.dumps({"error": str(error)}), encoding="utf-8")
        return
    told = outcome(state, time.perf_counter() - began) | {"learning_rate": rate}
    path.write_text(json.dumps(told), encoding="utf-8")
    if not kept.exists():
        shutil.copytree(root / "shared", kept)
    shutil.rmtree(root)
    print(f"{task} {seed} {arm} at {rate}: {told['wall_s']:.0f} s", flush=True)


if __name__ == "__main__":
    sit(
        sys.argv[1],
        int(sys.argv[2]),
        Path(sys.argv[3]),
        sys.argv[4:] or list(ARMS),
    )
