"""The quickstart sweep against a shell loop of TRL scripts: wall time and hypervolume, in one run.

Arm A is `paretoflow run jobs/quickstart.yaml`. Arm B is as many `plain_dpo` processes over a
uniform lattice of weights, in order, two at a time on one thread each, as `xargs -P2` would start
them: the same steps, learning rate, beta, batch, LoRA, candidates and prompts per run. Afterwards
every adapter of both arms answers the eval prompts of the sweep in one evaluator, with the same
noise, so that the hypervolumes compare.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from paretoflow.core.values import BASE_RUN_ID, FloatArray, Problem
from paretoflow.engine.read.sweep import OpenedSweep, open_sweep_folder
from paretoflow.engine.runtime.executor import Executor
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.front.simplex import lattice_at_least
from paretoflow.lm.adapters import adapter_on
from paretoflow.spec.load import load_spec
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.arms import DRAWS, Arm, Point, interval, markdown, reach
from tests.benchmarks.results_file import write_table

JOB = Path("jobs/quickstart.yaml")
AT_ONCE = 2
SMOKE = (
    "stop.runs=3",
    "method.steps=4",
    "method.checkpoint_every=2",
    "data.train=8",
    "data.eval=8",
    "data.validation=4",
    "data.candidates=3",
)


def call(command: Sequence[object], **environment: str) -> None:
    """Run a command; show what it said if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout[-4000:]}")


def sweep(storage: Path, overrides: Sequence[str]) -> tuple[float, float]:
    """Run arm A; return when it started (seconds since the epoch) and its wall time."""
    command: list[object] = [Path(sys.executable).parent / "paretoflow", "run", JOB]
    command += ["--storage", storage, *(part for o in overrides for part in ("--set", o))]
    started = time.time()
    call(command)
    return started, time.time() - started


def script(spec: SweepSpec, weights: FloatArray, out: Path) -> list[object]:
    """Return arm B's command for one weight vector, with the knobs of the sweep."""
    method, data, model = spec.method, spec.data, spec.model
    knobs = {
        "weights": ",".join(f"{w:.6f}" for w in weights),
        "out": out,
        "seed": spec.seed,
        "steps": method.steps,
        "lr": method.learning_rate,
        "beta": method.beta,
        "batch-size": method.batch_size,
        "pairs-per-prompt": method.pairs_per_prompt,
        "candidates": data.candidates,
        "train-prompts": data.train,
        "eval-prompts": data.eval,
        "temperature": model.generation.temperature,
        "max-new-tokens": model.generation.max_new_tokens,
        "generation-batch": model.generation.batch_size,
        "lora-rank": model.lora.rank,
        "lora-alpha": int(model.lora.alpha),
    }
    named = [part for name, value in knobs.items() for part in (f"--{name}", value)]
    return [sys.executable, "-m", "tests.benchmarks.plain_dpo", *named]


@dataclass(frozen=True)
class LoopRun:
    """One process of arm B; `ended_s` counts from the start of the arm."""

    folder: Path
    wall_s: float
    ended_s: float

    def stages(self) -> dict[str, float]:
        """Return the seconds of each stage."""
        found: dict[str, float] = json.loads((self.folder / "scores.json").read_text())["seconds"]
        return found


def loop(spec: SweepSpec, folder: Path) -> tuple[float, list[LoopRun]]:
    """Run arm B; return its wall time and its runs in the order of the lattice."""
    lattice = lattice_at_least(len(spec.objectives), spec.stop.runs)
    begun = time.time()

    def one(index: int) -> LoopRun:
        out, started = folder / f"{index:02d}", time.time()
        call(script(spec, lattice[index], out), OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
        return LoopRun(out, time.time() - started, time.time() - begun)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = list(pool.map(one, range(spec.stop.runs)))
    return time.time() - begun, runs


class Referee:
    """Scores every adapter on the sweep's own eval prompts, with the sweep's evaluator."""

    def __init__(self, spec: SweepSpec, opened: OpenedSweep) -> None:
        executor = Executor(spec, opened.root, threads=AT_ONCE)
        assert opened.state.problem is not None
        self.problem: Problem = opened.state.problem
        executor.ready(self.problem)
        self._lm, self._evaluator = executor._lm, executor._evaluator

    def gains(self, adapter: Path | None) -> FloatArray:
        """Return gains by prompt, shape (m, n); of the base for None."""
        with adapter_on(self._lm, adapter) as model:
            return gains_of(self._evaluator.evaluate(model).prompt_scores.T, self.problem).T


def points_of_sweep(opened: OpenedSweep, started: float, referee: Referee) -> list[Point]:
    """Return every evaluated checkpoint of arm A, scored again."""
    first = opened.state.opened_at or 0.0
    rows = [e for e in opened.state.evaluations if e.run_id != BASE_RUN_ID]
    last, root = {row.run_id: row.step for row in rows}, opened.root.local
    assert root is not None
    return [
        Point(
            first - started + row.at_s,
            referee.gains(root / row.path),
            row.step == last[row.run_id],
        )
        for row in rows
    ]


def row(name: str, arm: Arm, runs: int, device_s: float, wall_a: float) -> tuple[str, ...]:
    """Return one line of the main table."""
    return (
        name,
        str(runs),
        f"{arm.wall_s:.0f}",
        f"{device_s:.0f}",
        f"{len(arm.front())} of {len(arm.points)}",
        f"{arm.volume():.2f} {interval(arm.redrawn())}",
        f"{arm.wall_s / wall_a:.2f}",
    )


def stages(seconds: Sequence[dict[str, float]], busy_s: float) -> str:
    """Return a table of where arm B's time goes."""
    rows = []
    for stage in seconds[0]:
        taken = [s[stage] for s in seconds]
        rows.append((stage, f"{statistics.median(taken):.1f}", f"{sum(taken) / busy_s:.0%}"))
    rest = busy_s - sum(sum(s.values()) for s in seconds)
    rows.append(("ending", f"{rest / len(seconds):.1f}", f"{rest / busy_s:.0%}"))
    return markdown(("stage of a loop's process", "median s", "share"), rows)


def main(quick: bool = False) -> None:
    """Run both arms, judge them, write the table."""
    overrides = SMOKE if quick else ()
    with tempfile.TemporaryDirectory() as scratch:
        storage = Path(scratch) / "sweeps"
        spec = load_spec(JOB, overrides, str(storage))
        started, wall_a = sweep(storage, overrides)
        wall_b, runs = loop(spec, Path(scratch) / "loop")
        opened = open_sweep_folder(storage / spec.name)
        referee = Referee(spec, opened)
        ref = ref_gains(referee.problem)
        a = Arm(wall_a, points_of_sweep(opened, started, referee), ref)
        b = Arm(wall_b, [Point(r.ended_s, referee.gains(r.folder / "adapter")) for r in runs], ref)
        base = Arm(0.0, [Point(0.0, referee.gains(None))], ref)
        rows, notes = tables(opened, started, (a, b, base), runs)
    write_table(
        "sweep_against_loop",
        "The quickstart sweep against a loop of scripts",
        "python -m tests.benchmarks.sweep_against_loop",
        ("arm", "runs", "wall s", "device s", "front", "hypervolume [95 %]", "wall / A's wall"),
        rows,
        notes,
        quick=quick,
    )


def tables(
    opened: OpenedSweep, started: float, arms: tuple[Arm, Arm, Arm], runs: Sequence[LoopRun]
) -> tuple[list[tuple[str, ...]], str]:
    """Return the rows of the main table and all that explains them."""
    a, b, base = arms
    state, last, seconds = opened.state, a.finals(), [run.stages() for run in runs]
    busy_s = sum(run.wall_s for run in runs)
    held_a, held_b = AT_ONCE * a.wall_s, AT_ONCE * b.wall_s
    rows = [
        row("A `paretoflow run`", a, state.finished, held_a, a.wall_s),
        row("A, last checkpoints only", last, state.finished, held_a, a.wall_s),
        row("B loop, two at a time", b, len(runs), held_b, a.wall_s),
        row("C loop, one after the other", replace(b, wall_s=busy_s), len(runs), busy_s, a.wall_s),
    ]
    reaches = markdown(
        ("front of", "reaches the final hypervolume of", "after s", "which took s", "ratio"),
        [
            reach("A", a, "B", b),
            reach("A, last checkpoints only", last, "B", b),
            reach("B", b, "A", a),
            reach("B", b, "A, last checkpoints only", last),
        ],
    )
    gaps = [interval(arm.redrawn() - b.redrawn()) for arm in (a, last)]
    first_s = min(state.started_at.values()) - started
    run_s = statistics.median(r.cost.wall_s for r in state.runs.values())
    repeated_s = sum(s["sample"] for s in seconds) * (len(runs) - 1) / len(runs)
    by_hand_s = b.wall_s - repeated_s / AT_ONCE
    notes = [
        f"Hypervolume in share of words x words over {base.points[0].gains.shape[1]} eval prompts; "
        f"intervals over the choice of prompts, {DRAWS} draws. Training seeds are not in them: "
        f"each arm ran once. The base, in no front here, has {base.volume():.2f}. Difference to B, "
        f"paired: A {gaps[0]}, A's last checkpoints {gaps[1]}.",
        f"Device seconds: {AT_ONCE} cores x wall, start and end included; the sweep's ledger "
        f"counts {state.cost.device_s:.0f} s of training and evaluation. A's earlier checkpoints "
        "are candidates of its front, and their evaluation is in its time, also in the second "
        "line. C is the sum of B's process times, not a run of its own.",
        reaches,
        stages(seconds, busy_s),
        f"The sweep: {first_s:.1f} s until the first launch (Python, Ray, base, prompts, shared "
        f"candidates, the base's evaluation), then {run_s:.1f} s a run (median; training and all "
        "evaluations). A loop whose user samples the candidates once and keeps them would take "
        f"about {by_hand_s:.0f} s (B less the repeated sampling), {by_hand_s / a.wall_s:.2f} of A.",
    ]
    return rows, "\n\n".join(notes)


if __name__ == "__main__":
    main("--quick" in sys.argv)
