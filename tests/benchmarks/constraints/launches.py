"""Constrained launches of the real executor, from parents trained in an opening stage.

`python tests/benchmarks/constraints/launches.py TASK SEED FOLDER ARM` writes a line for each launch
into `FOLDER/launches/TASK-SEED-ARM.jsonl`; an existing launch is not made again. It imports nothing
of its own package, so that it judges whichever version of `paretoflow` is on the path.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.launch import AdapterRef, Launch
from paretoflow.core.values import FloatArray, LaunchKind, Problem, Proposal, WeightVector
from paretoflow.engine.runtime.executor import Executor
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.front.orient import gains_of, ideal_gains, nadir_gains
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import EventKind
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.methods.arms import embedded
from tests.benchmarks.methods.inline import _Told, run_inline
from tests.benchmarks.methods.letters import make_task

SLACKS: dict[str, tuple[float, ...]] = {
    "embedded": (0.05, 0.15),
    "letters": (0.1,),
    "letters_online": (0.1,),
}
"""Shares of the range that the objective which is not the target may lose."""
DPO = {"type": "dpo", "beta": 0.3}
TASKS: dict[str, dict[str, Any]] = {
    "embedded": DPO | {"steps": 10, "learning_rate": 7e-4, "checkpoint_every": 5},
    "letters": DPO | {"steps": 40, "batch_size": 16, "learning_rate": 1e-3, "checkpoint_every": 20},
    "letters_online": {
        "type": "grpo",
        "steps": 30,
        "batch_size": 32,
        "learning_rate": 1e-3,
        "checkpoint_every": 15,
    },
}
"""The method of a task; `embedded` is the quickstart's."""
ARMS: dict[str, dict[str, Any]] = {
    "before": {},
    "dual": {"form": "dual"},
    "barrier": {"form": "barrier"},
    "dual, last": {"form": "dual", "result": "last"},
    "barrier, last": {"form": "barrier", "result": "last"},
}


def spec_of(task: str, seed: int, folder: Path) -> SweepSpec:
    """Return the opening: three runs on a lattice of weights."""
    made = folder / task.partition("_")[0]
    head = embedded(made) if task == "embedded" else make_task(made)
    if task == "embedded":
        head["data"] = {"type": "pydoc", "candidates": 6}
    plain = {
        "name": f"opening-{task}-{seed}",
        "seed": seed,
        "storage": str(folder / "openings"),
        **head,
        "method": TASKS[task],
        "proposer": {"type": "lattice"},
        "stop": {"runs": 3},
    }
    spec = SweepSpec.model_validate(plain)
    if hasattr(spec.method, "standardise"):  # as the version that it is compared with
        method = spec.method.model_copy(update={"standardise": "global"})
        spec = spec.model_copy(update={"method": method})
    return spec


def opened(spec: SweepSpec) -> SweepState:
    """Return the opening's state, run now if it was not."""
    root = Path(spec.storage) / spec.name
    if not (root / "done").exists():
        run_inline(spec)
        (root / "done").touch()
    state = SweepState()
    state.apply(open_ledger(str(root), writer=False).events())
    return state


def parents(state: SweepState) -> list[Evaluation]:
    """Return the last checkpoint of each run."""
    rows = {row.run_id: row for row in state.evaluations if row.run_id != "base"}
    return list(rows.values())


def launches(task: str, state: SweepState, seed: int) -> list[tuple[Launch, Evaluation, float]]:
    """Return every extension of every parent in every objective, with its parent and slack."""
    problem = state.problem
    assert problem is not None
    scale, found = ideal_gains(problem) - nadir_gains(problem), []
    for row in parents(state):
        gains = gains_of(np.array(row.scores), problem)
        for target in range(problem.m):
            for slack in SLACKS[task]:
                kept = gains - slack * scale
                kept[target] = gains[target]
                weights = state.runs[row.run_id].proposal.weights.array
                proposal = Proposal(
                    LaunchKind.CONSTRAINED,
                    WeightVector.of(weights + WeightVector.one_hot(problem.m, target).array),
                    seed * 1000 + len(found),
                    "benchmark",
                    "benchmark",
                    parent=row.snapshot_id,
                    target=target,
                    thresholds=tuple(kept.tolist()),
                )
                start = AdapterRef(row.path, row.digest)
                launch = Launch(f"x{len(found):04d}", 0, proposal, start, parent_gains=gains)
                found.append((launch, row, slack))
    return found


def judged(problem: Problem, launch: Launch, parent: Evaluation, last: Any) -> dict[str, Any]:
    """Return what came of a launch on the eval prompts, in shares of the ranges."""
    scale = ideal_gains(problem) - nadir_gains(problem)
    own = gains_of(np.array(last.prompt_scores, dtype=float).T, problem)
    before = gains_of(np.asarray(parent.prompt_scores).T, problem)
    change: FloatArray = (own - before) / scale
    stderr = change.std(axis=0, ddof=1) / np.sqrt(len(change))
    means, bounds = change.mean(axis=0), np.array(launch.proposal.thresholds)
    room = (own.mean(axis=0) - bounds) / scale
    others = [i for i in range(problem.m) if i != launch.proposal.target]
    return {
        "room": [float(room[i]) for i in others],
        "stderr": [float(stderr[i]) for i in others],
        "gain": float(means[launch.proposal.target]),
        "gain_stderr": float(stderr[launch.proposal.target]),
    }


def main(task: str, seed: int, folder: Path, arm: str) -> None:
    """Make the launches of an arm that have no line yet."""
    spec = spec_of(task, seed, folder)
    state = opened(spec)
    assert state.problem is not None
    path = folder / "launches" / f"{task}-{seed}-{arm}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    done = len(path.read_text().splitlines()) if path.exists() else 0
    root = folder / "arms" / f"{task}-{seed}-{arm.replace(', ', '-')}"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(Path(spec.storage) / spec.name, root)
    if ARMS[arm]:
        dual = spec.method.dual.model_copy(update=ARMS[arm])
        spec = spec.model_copy(update={"method": spec.method.model_copy(update={"dual": dual})})
    executor = Executor(spec, str(root), threads=1)
    executor.ready(state.problem)
    for launch, parent, slack in launches(task, state, seed)[done:]:
        began, reports = time.perf_counter(), []
        failure = executor.execute(launch, _Told(reports))
        assert failure is None, failure
        rows = [e for r in reports for e in r.events if e.kind is EventKind.EVALUATED]
        told = judged(state.problem, launch, parent, rows[-1])
        told |= {
            "target": launch.proposal.target,
            "slack": slack,
            "parent": parent.snapshot_id,
            "seconds": time.perf_counter() - began,
            "scores": list(rows[-1].scores),
            "record": rows[-1].payload.get("constraint"),
        }
        with path.open("a") as stream:
            stream.write(json.dumps(told) + "\n")
        print(task, seed, arm, {k: v for k, v in told.items() if k != "record"}, flush=True)
    shutil.rmtree(root)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
