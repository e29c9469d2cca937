"""Peaks of resident memory of one real run, phase by phase; the process of `memory.__main__`.

It reads a case as JSON from standard input, and prints bytes beyond what the imports took.
"""

from __future__ import annotations

import gc
import json
import tempfile
from pathlib import Path
from typing import Any

from paretoflow import proposers
from paretoflow.core.launch import Launch
from paretoflow.core.protocols import Checkpoint
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.messages import Failure
from paretoflow.engine.runtime.executor import Executor
from paretoflow.engine.runtime.protocols import Attempt
from paretoflow.engine.session.folder import enter_folder, sweep_root
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.lm.base import load_base
from paretoflow.lm.generation import generate
from tests.benchmarks.memory.cases import CASES, SAMPLED, Case, make_folder, spec_of
from tests.benchmarks.methods.inline import InlineBackend


def peak() -> int:
    """Return the peak of this process' resident memory since the last `reset`, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def reset() -> int:
    """Set the peak to what is resident now; return that, in bytes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return peak()


class PhasedExecutor(Executor):
    """The real one, which notes the peak of training before its first checkpoint is evaluated."""

    training = 0

    def execute(self, launch: Launch, attempt: Attempt) -> Failure | None:
        """Execute an attempt; see `Executor`."""
        reset()
        failure = super().execute(launch, attempt)
        if failure is not None:
            raise SystemExit(failure.details)
        return None

    def _checkpoint(self, launch: Launch, checkpoint: Checkpoint, *given: Any) -> None:
        self.training = self.training or peak()
        super()._checkpoint(launch, checkpoint, *given)


def measured(case: Case, folder: Path) -> int:
    """Return the peak of training in bytes, beyond what was resident before the base was loaded."""
    make_folder(case, folder)
    spec = spec_of(case, folder)
    root = sweep_root(spec)
    enter_folder(spec, root)
    proposer = proposers.build(spec.proposer, m=len(spec.objectives), runs=spec.stop.runs)
    before = reset()
    executor = PhasedExecutor(spec, root, threads=1)
    ledger = MemoryLedger(MemoryStore())
    Driver(spec, ledger, InlineBackend(executor), proposer).run()
    return executor.training - before


def sampled(case: Case, folder: Path) -> int:
    """Return the peak of a batch of answers in bytes, beyond what the loaded base takes."""
    make_folder(case, folder)
    spec = spec_of(case, folder)
    lm = load_base(spec.model, threads=1)
    lines = (folder / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines[: case.sampled]]
    before = reset()
    generate(lm.model, lm, prompts, list(range(len(prompts))), spec.model.generation)
    return peak() - before


def main() -> None:
    """Measure all cases in this process, the warm-up first."""
    for case in (*CASES, *SAMPLED):
        with tempfile.TemporaryDirectory() as scratch:
            phase = sampled if case in SAMPLED else measured
            print(json.dumps([case.name, phase(case, Path(scratch))]), flush=True)
        gc.collect()


if __name__ == "__main__":
    main()
