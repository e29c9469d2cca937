"""Execute runs on Ray, on one warm worker actor for each slot.

A worker keeps the base loaded and takes launches in turn.
"""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from paretoflow.core.errors import WorkerError
from paretoflow.core.values import Problem
from paretoflow.engine.backend import Launch, Report
from paretoflow.engine.faults import failure_of
from paretoflow.engine.live import GangState
from paretoflow.engine.payloads import problem_from
from paretoflow.ledger.fragments import fragment_paths, read_fragment
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.spec.sweep import SweepSpec

if TYPE_CHECKING:
    from paretoflow.engine.worker import Workshop

OBJECT_STORE_BYTES = 128 * 2**20
"""Results go through storage: Ray's object store carries only messages."""
PREPARE_TRIES = 2


class RayWorker:
    """The actor: a workshop, and a tray of reports that the driver empties while a run goes on."""

    def __init__(self, spec: dict[str, Any], root: str, threads: int) -> None:
        self._spec = SweepSpec.model_validate(spec)
        self._root = Path(root)
        self._threads = threads
        self._problem: Problem | None = None
        self._workshop: Workshop | None = None
        self._tray: deque[Report] = deque()

    def load(self) -> None:
        """Import the training libraries while another worker prepares."""
        import paretoflow.engine.worker  # noqa: F401

    def prepare(self, problem: Problem | None) -> list[Event]:
        """Load everything; without a calibration, do the shared stage and return its rows."""
        from paretoflow.engine.worker import Workshop

        self._problem = problem
        workshop = Workshop(self._spec, self._root, self._threads)
        events: list[Event] = []
        if problem is None:
            events = workshop.prepare()
        else:
            workshop.ready(problem)
        self._workshop = workshop
        return events

    def execute(self, launch: Launch) -> Report:
        """Execute one attempt; return its last report, after the ones in the tray."""
        if self._workshop is None:  # nobody heard why it did not load: now the attempt will
            self.prepare(self._problem)
        assert self._workshop is not None
        return self._workshop.execute(launch, self._tray.append)

    def drain(self) -> list[Report]:
        """Hand over the reports made so far; runs beside `execute`, in a thread of its own."""
        return [self._tray.popleft() for _ in range(len(self._tray))]


@dataclass
class _Slot:
    """One worker and what it is doing.

    Attributes:
        loading: Ray's handle of the end of loading; None once that is known to be over.
        busy: The attempt in progress; None when idle.
        result: Ray's handle of the attempt's end.
        since: Monotonic time from which the attempt could run.
        draining: A `drain` call that has not answered yet.
    """

    actor: Any
    loading: Any = None
    busy: Launch | None = None
    result: Any = None
    since: float = 0.0
    draining: Any = None


class RayBackend:
    """Warm workers on a Ray cluster, or on a local one that is started and ended with the sweep.

    Args:
        address: A running cluster; None starts a local one.
    """

    def __init__(self, spec: SweepSpec, root: Path, address: str | None = None) -> None:
        self._spec = spec
        self._root = root
        self._problem: Problem | None = None
        self._owned = not ray.is_initialized()
        if self._owned:
            _start_ray(spec, address)
        cpus, gpus = spec.engine.resources.cpus_per_rank, spec.engine.resources.gpus_per_rank
        self._threads = max(1, int(cpus))
        self._actor_class = ray.remote(
            num_cpus=cpus, num_gpus=gpus, max_restarts=0, concurrency_groups={"tray": 1}
        )(RayWorker)
        self._slots = [_Slot(self._new_actor()) for _ in range(spec.engine.workers)]

    def _new_actor(self) -> Any:
        environment = {"OMP_NUM_THREADS": str(self._threads), "TOKENIZERS_PARALLELISM": "false"}
        return self._actor_class.options(runtime_env={"env_vars": environment}).remote(
            self._spec.model_dump(mode="json"), str(self._root.resolve()), self._threads
        )

    def adopt(self, epoch: int) -> list[Launch]:
        """Return nothing: workers end with their driver."""
        return []

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def drop(self, launch: Launch) -> None:
        """Stop an attempt by replacing its worker."""
        for slot in self._slots:
            if slot.busy == launch:
                ray.kill(slot.actor)
                self._replace(slot)
                slot.busy = slot.result = None

    def gangs(self) -> list[GangState]:
        """Return what every worker does now."""
        return []

    def leave(self) -> None:
        """Stop everything."""
        self.close()

    def prepare(self, problem: Problem | None) -> list[Event]:
        """Let the first worker do the shared stage while the others load; then make all ready."""
        for slot in self._slots[1:]:
            slot.actor.load.remote()
        events = self._shared_stage(problem)
        self._problem = problem or _problem_in(events)
        for slot in self._slots[1:]:
            slot.loading = slot.actor.prepare.remote(self._problem)
        return events

    def _shared_stage(self, problem: Problem | None) -> list[Event]:
        for attempt in range(PREPARE_TRIES):
            try:
                return list(ray.get(self._slots[0].actor.prepare.remote(problem)))
            except RayTaskError as error:
                raise _cause_of(error) from error
            except RayActorError as error:
                if attempt == PREPARE_TRIES - 1:
                    raise WorkerError(
                        "the worker died while it prepared the sweep",
                        hint="it may be out of memory",
                    ) from error
                self._slots[0].actor = self._new_actor()
        raise AssertionError("unreachable")

    def now(self) -> float:
        """Return the wall-clock time."""
        return time.time()

    def free(self) -> int:
        """Return the number of idle workers."""
        return sum(slot.busy is None for slot in self._slots)

    def launch(self, launch: Launch) -> None:
        """Send an attempt to an idle worker; one that still loads starts as soon as it can."""
        slot = next(s for s in self._slots if s.busy is None)
        slot.busy, slot.since = launch, time.monotonic()
        slot.result = slot.actor.execute.remote(launch)

    def poll(self, timeout_s: float) -> list[Report]:
        """Wait for an attempt to end, then collect what every worker has on its tray."""
        busy = [s for s in self._slots if s.busy is not None]
        if not busy:
            time.sleep(timeout_s)
            return []
        ended, _ = ray.wait([s.result for s in busy], num_returns=1, timeout=timeout_s)
        reports: list[Report] = []
        for slot in busy:
            if slot.result in ended:
                reports.extend(self._end(slot))
            else:
                reports.extend(self._drain(slot))
                reports.extend(self._enforce_limit(slot))
        return reports

    def _drain(self, slot: _Slot) -> list[Report]:
        if slot.draining is None:
            slot.draining = slot.actor.drain.options(concurrency_group="tray").remote()
        done, _ = ray.wait([slot.draining], timeout=0)
        if not done:
            return []
        taken, slot.draining = slot.draining, None
        try:
            return list(ray.get(taken))
        except RayActorError:
            return []  # the attempt's own end tells what happened

    def _end(self, slot: _Slot) -> list[Report]:
        launch = slot.busy
        assert launch is not None
        try:
            last: Report = ray.get(slot.result)
            left = [*self._take_all(slot), last]
        except RayTaskError as error:
            failure = failure_of(_cause_of(error))
            left = [Report(launch.run_id, launch.attempt, ended=True, failure=failure)]
        except RayActorError as error:
            left = [self._lost(launch, WorkerError(_first_line(error), launch.run_id))]
            self._replace(slot)
        slot.busy = slot.result = None
        return left

    def _take_all(self, slot: _Slot) -> list[Report]:
        earlier = list(ray.get(slot.draining)) if slot.draining is not None else []
        slot.draining = None
        return [*earlier, *ray.get(slot.actor.drain.options(concurrency_group="tray").remote())]

    def _enforce_limit(self, slot: _Slot) -> list[Report]:
        limit, launch = self._spec.engine.limits.run_s, slot.busy
        if limit is None or launch is None:
            return []
        if slot.loading is not None:  # loading is no part of the attempt
            slot.since = time.monotonic()
            if ray.wait([slot.loading], timeout=0)[0]:
                slot.loading = None
        if time.monotonic() - slot.since <= limit:
            return []
        ray.kill(slot.actor)
        self._replace(slot)
        slot.busy = slot.result = None
        late = WorkerError(f"the attempt ran past engine.limits.run_s = {limit:g} s", launch.run_id)
        return [self._lost(launch, late)]

    def _lost(self, launch: Launch, error: WorkerError) -> Report:
        """End an attempt whose worker is gone, with all that it had made durable."""
        events = [
            event
            for path in fragment_paths(self._root)
            if path.parent.name == launch.run_id
            for event in read_fragment(path)
        ]
        done = any(event.kind is EventKind.FINISHED for event in events)
        failure = None if done else failure_of(error)
        return Report(launch.run_id, launch.attempt, tuple(events), ended=True, failure=failure)

    def _replace(self, slot: _Slot) -> None:
        slot.actor, slot.draining = self._new_actor(), None
        slot.loading = slot.actor.prepare.remote(self._problem)

    def close(self) -> None:
        """Stop the workers, and the local Ray if this backend started it."""
        for slot in self._slots:
            ray.kill(slot.actor)
        self._slots = []
        if self._owned:
            ray.shutdown()
            self._owned = False


def _start_ray(spec: SweepSpec, address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is not None:
        ray.init(address=address, **quiet)
        return
    # a logical count: workers may share cores, as the user asked for them
    cpus = max(
        os.cpu_count() or 1, int(spec.engine.workers * spec.engine.resources.cpus_per_rank + 0.999)
    )
    ray.init(
        num_cpus=cpus, include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, **quiet
    )


def _problem_in(events: list[Event]) -> Problem:
    return next(problem_from(e.payload) for e in events if e.kind == "calibrated")


def _cause_of(error: RayTaskError) -> BaseException:
    cause: BaseException = getattr(error, "cause", None) or error
    return cause


def _first_line(error: Exception) -> str:
    return f"the worker died: {str(error).splitlines()[0]}"
