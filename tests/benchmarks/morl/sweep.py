"""A whole sweep by the engine's own driver, ledger and proposers, on processes without Ray."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait

from paretoflow import proposers
from paretoflow.core.launch import Launch
from paretoflow.core.values import Problem
from paretoflow.engine.live import GroupState
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.messages import Report
from paretoflow.engine.runtime.protocols import RunExecutor
from paretoflow.engine.session.folder import enter_folder, sweep_root
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event
from tests.benchmarks.morl.executor import MorlExecutor
from tests.benchmarks.morl.spec import MorlSpec

Execute = Callable[[Launch], list[Report]]


class PoolBackend:
    """Gives launches to an executor, asynchronously; see `engine.messages.Backend`.

    Args:
        executor: Freezes the objectives.
        pool: Executor of the launches.
        execute: Executes an attempt to its end; returns its reports, the last with `ended`.
        workers: Number of concurrent launches.
    """

    def __init__(
        self, executor: RunExecutor, pool: Executor, execute: Execute, workers: int
    ) -> None:
        self._executor = executor
        self._pool = pool
        self._execute = execute
        self._workers = workers
        self._open: dict[tuple[str, int], Future[list[Report]]] = {}

    def adopt(self, epoch: int) -> list[Launch]:
        """Return none: nothing outlives this process."""
        return []

    def prepare(self, problem: Problem | None) -> list[Event]:
        """Freeze the objectives and measure an untrained policy, the first time."""
        return [] if problem else self._executor.prepare()

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def free(self) -> int:
        """Return how many more launches would start at once."""
        return self._workers - len(self._open)

    def launch(self, launch: Launch) -> None:
        """Hand a launch over."""
        future = self._pool.submit(self._execute, launch)
        self._open[launch.run_id, launch.attempt] = future

    def suspend(self, run_id: str, attempt: int, why: str) -> None:
        """Do nothing: a launch ends before its driver polls."""

    def drop(self, launch: Launch) -> None:
        """Drop a launch; its reports are ignored."""
        if future := self._open.pop((launch.run_id, launch.attempt), None):
            future.cancel()

    def poll(self, timeout_s: float) -> list[Report]:
        """Return the reports of the ended launches."""
        over, _ = wait(self._open.values(), timeout_s, FIRST_COMPLETED)
        ended = [key for key, future in self._open.items() if future in over]
        return [report for key in ended for report in self._open.pop(key).result()]

    def groups(self) -> Sequence[GroupState]:
        """Return none."""
        return ()

    def close(self) -> None:
        """Cancel launches that have not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def detach(self) -> None:
        """Leave nothing behind."""
        self.close()


class Told:
    """Keeps what an executor tells; see `engine.runtime.protocols.Attempt`."""

    def __init__(self) -> None:
        self.reports: list[Report] = []

    def tell(self, report: Report) -> None:
        self.reports.append(report)

    def progress(self, step: int | None = None) -> None:
        """Nobody watches."""

    def stopping(self) -> bool:
        return False

    def suspended(self) -> str:
        return ""


def execute(executor: RunExecutor, launch: Launch) -> list[Report]:
    """Execute an attempt; return its reports, its end last."""
    told = Told()
    failure = executor.execute(launch, told)
    return [*told.reports, Report(launch.run_id, launch.attempt, ended=True, failure=failure)]


def run_sweep(spec: MorlSpec) -> SweepState:
    """Run a sweep to its end, from wherever it stands, on `engine.worker_groups` processes."""
    workers, context = spec.engine.worker_groups, multiprocessing.get_context("spawn")
    plain = spec.model_dump_json()
    with ProcessPoolExecutor(workers, context, _open_executor, (plain,)) as pool:
        return drive(spec, pool, _execute_here)


def drive(spec: MorlSpec, pool: Executor, run: Execute) -> SweepState:
    """Run a sweep to its end on a pool."""
    root = sweep_root(spec)
    enter_folder(spec, root)
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    backend = PoolBackend(MorlExecutor(spec, root, 1), pool, run, spec.engine.worker_groups)
    proposer = proposers.build(spec.proposer, m=len(spec.objectives), runs=spec.stop.runs)
    driver = Driver(spec, ledger, backend, proposer)
    driver.run()
    return driver.state


_executors: list[MorlExecutor] = []


def _open_executor(plain: str) -> None:
    spec = MorlSpec.model_validate_json(plain)
    _executors[:] = [MorlExecutor(spec, sweep_root(spec), 1)]


def _execute_here(launch: Launch) -> list[Report]:
    return execute(_executors[0], launch)
