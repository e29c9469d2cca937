"""C-MORL's setting: `python -m tests.benchmarks.morl --env fruit_tree --seeds 3 --folder F`.

It runs a sweep for each seed and arm, by the engine's driver. A sweep with a result in the folder
is not run again, and an interrupted sweep is resumed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

from tests.benchmarks.morl.measured import (
    hypervolume_there,
    known_front,
    known_hypervolume,
    points_found,
)
from tests.benchmarks.morl.spec import JOBS, MorlSpec, load_job
from tests.benchmarks.morl.sweep import run_sweep
from tests.benchmarks.results_file import write_table

ARMS: dict[str, dict[str, Any]] = {
    "default": {},
    "cmorl, its settings": {"type": "cmorl", "initial": 6, "select": 6, "beta": 0.9},
}
"""What takes the place of the job's proposer: M = N = 6 and beta as in the released code."""
SHARES = (0.9, 0.95)
QUICK_RUNS = 4


def main(
    quick: bool = False, *, env: str | None = None, seeds: int = 3, folder: Path | None = None
) -> None:
    """Run what has no result yet, and write the table of all that have one."""
    with tempfile.TemporaryDirectory() as scratch:
        place = folder or Path(scratch)
        jobs = [env] if env else sorted(path.stem for path in JOBS.glob("*.yaml"))
        for job in jobs:
            for seed in range(1 if quick else seeds):
                for arm in ARMS:
                    if not result_path(place, job, arm, seed).exists():
                        sit(job, arm, seed, place, quick=quick)
        tell(place, quick=quick)


def spec_of(job: str, arm: str, seed: int, folder: Path, *, quick: bool = False) -> MorlSpec:
    """Return an arm's sweep."""
    changes: dict[str, Any] = {"seed": seed, "storage": str(folder / "sweeps")}
    changes["name"] = f"{job}-{arm.split(',')[0]}-{seed}"
    if ARMS[arm]:
        changes["proposer"] = ARMS[arm]
    if quick:
        changes["stop"] = {"runs": QUICK_RUNS}
    return load_job(job, **changes)


def result_path(folder: Path, job: str, arm: str, seed: int) -> Path:
    """Return where an arm's outcome is kept."""
    return folder / "results" / f"{job}-{arm.split(',')[0]}-{seed}.json"


def sit(job: str, arm: str, seed: int, folder: Path, *, quick: bool) -> None:
    """Run an arm's sweep to its end, and keep what came of it."""
    spec, began = spec_of(job, arm, seed, folder, quick=quick), time.perf_counter()
    state, known = run_sweep(spec), known_hypervolume(spec)
    curve = [(runs, volume / known) for runs, _, volume in state.curve]
    told = {
        "job": job,
        "arm": arm,
        "claimed": state.hypervolume / known,
        "share": hypervolume_there(spec, state) / known,
        "known": known,
        "curve": curve,
        "runs_to": [next((n for n, v in curve if v >= share), None) for share in SHARES],
        "runs": state.finished,
        "failed": state.failed,
        "steps": state.cost.tokens,
        "front": state.front_size,
        "points": points_found(known_front(spec), state.front_gains),
        "known_points": len(known_front(spec)),
        "device_s": state.cost.device_s,
        "minutes": state.elapsed_s() / 60,
        "workers": spec.engine.worker_groups,
    }
    path = result_path(folder, job, arm, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told), encoding="utf-8")
    minutes = (time.perf_counter() - began) / 60
    print(f"{job} {arm} seed {seed}: {told['share']:.3f} after {minutes:.1f} min", flush=True)


COLUMNS = (
    "environment",
    "proposer",
    "of the known front's hypervolume (least to most)",
    "as measured by the sweep",
    "its points, of the known ones",
    "runs to 90 %, 95 %",
    "runs",
    "million steps",
    "minutes",
)


def tell(folder: Path, *, quick: bool) -> None:
    """Write the table of every outcome in a folder."""
    files = sorted((folder / "results").glob("*.json"))
    found = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for told in found:
        groups.setdefault((told["job"], told["arm"]), []).append(told)
    write_table(
        "morl",
        "C-MORL's setting: reinforcement learning, no language model",
        "python -m tests.benchmarks.morl",
        COLUMNS,
        [row(*key, outcomes) for key, outcomes in groups.items()],
        NOTES,
        quick=quick,
    )


def row(job: str, arm: str, found: list[dict[str, Any]]) -> list[str]:
    """Return an arm's row over its seeds."""
    shares = [told["share"] for told in found]
    failed = sum(told["failed"] for told in found)
    reached = [", ".join(str(n or "never") for n in told["runs_to"]) for told in found]
    return [
        job,
        arm,
        f"{mean(shares):.3f} ({min(shares):.3f} to {max(shares):.3f}), {len(found)} seeds",
        f"{mean(told['claimed'] for told in found):.3f}",
        points(found),
        "; ".join(reached),
        f"{mean(told['runs'] for told in found):.0f}" + (f", {failed} failed" if failed else ""),
        f"{mean(told['steps'] for told in found) / 1e6:.2f}",
        f"{mean(told['minutes'] for told in found):.0f} on {found[0]['workers']} processes",
    ]


def points(found: list[dict[str, Any]]) -> str:
    """Return the size of the fronts and, if points can be identified, how many are known."""
    size = f"{mean(told['front'] for told in found):.0f}"
    exact = mean(told["points"] for told in found)
    return f"{size}, {exact:.0f} of {found[0]['known_points']}" if exact else f"{size}, random"


NOTES = (
    "Sweeps by the engine's driver, ledger and proposers with a PPO executor of the benchmark's "
    "own. The share is of the front that the sweep claims, each policy played anew in "
    "MO-Gymnasium's own environment (20 episodes with other random numbers where it is random), "
    "over the hypervolume of the front that MO-Gymnasium tells, with C-MORL's reference points "
    "and discounts; Minecart's known front is not optimal. Steps are all of the environment's, "
    "evaluation included. `default` is the proposer that `auto` takes; the other arm is `cmorl` "
    "with M = 6, N = 6, beta = 0.9, on the same PPO, runs and budget: the paper's selection, not "
    "its trainer."
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--env", choices=sorted(path.stem for path in JOBS.glob("*.yaml")))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args(sys.argv[1:])
    main(given.quick, env=given.env, seeds=given.seeds, folder=given.folder)
