"""The real executor in this process: a whole sweep without Ray, one launch at a time.

It is for benchmarks of methods: driver, ledger, training and evaluation are the real ones, and no
cluster has to start between two arms.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from paretoflow import proposers
from paretoflow.core.launch import Launch
from paretoflow.core.values import Problem
from paretoflow.engine.live import GroupState
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.messages import Report
from paretoflow.engine.runtime.executor import Executor
from paretoflow.engine.session.folder import enter_folder, sweep_root
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event
from paretoflow.spec.sweep import SweepSpec


class InlineBackend:
    """Executes each launch when it is polled for; see `engine.messages.Backend`."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._waiting: list[Launch] = []

    def adopt(self, epoch: int) -> list[Launch]:
        """Return none: nothing outlives this process."""
        return []

    def prepare(self, problem: Problem | None) -> list[Event]:
        """Freeze the objectives and evaluate the base."""
        if problem is None:
            return self._executor.prepare()
        self._executor.ready(problem)
        return []

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def free(self) -> int:
        """Return 1 while no launch waits."""
        return 0 if self._waiting else 1

    def launch(self, launch: Launch) -> None:
        """Note a launch."""
        self._waiting.append(launch)

    def drop(self, launch: Launch) -> None:
        """Forget a launch."""
        self._waiting = [x for x in self._waiting if x.run_id != launch.run_id]

    def suspend(self, run_id: str, attempt: int, why: str) -> None:
        """Do nothing: a launch ends before its driver polls."""

    def poll(self, timeout_s: float) -> list[Report]:
        """Execute what waits, to its end."""
        reports: list[Report] = []
        for launch in self._waiting:
            told = _Told(reports)
            failure = self._executor.execute(launch, told)
            reports.append(Report(launch.run_id, launch.attempt, ended=True, failure=failure))
        self._waiting = []
        return reports

    def groups(self) -> Sequence[GroupState]:
        """Return none."""
        return ()

    def close(self) -> None:
        """Hold nothing that had to be given back."""

    def detach(self) -> None:
        """Leave nothing behind."""


class _Told:
    """Keeps what an executor tells; see `engine.runtime.protocols.Attempt`."""

    def __init__(self, reports: list[Report]) -> None:
        self._reports = reports

    def tell(self, report: Report) -> None:
        self._reports.append(report)

    def progress(self, step: int | None = None) -> None:
        """Nobody watches."""

    def stopping(self) -> bool:
        return False

    def suspended(self) -> str:
        return ""


def run_inline(spec: SweepSpec) -> SweepState:
    """Run a sweep to its end in this process; return its state."""
    root = sweep_root(spec)
    enter_folder(spec, root)
    executor = Executor(spec, root, threads=1)
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    proposer = proposers.build(spec.proposer, m=len(spec.objectives), runs=spec.stop.runs)
    driver = Driver(spec, ledger, InlineBackend(executor), proposer)
    driver.run()
    return driver.state
