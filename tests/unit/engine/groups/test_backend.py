"""Calls of a driver to its worker groups at any time; `tests/sim` has whole sweeps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.engine.groups.backend import GroupBackend
from paretoflow.engine.groups.discovery import WorkerGroupFactory
from paretoflow.engine.groups.pool import UNKNOWN_S
from paretoflow.engine.messages import Cause, Failure, Report
from paretoflow.engine.runtime.poll import LoadResult
from paretoflow.engine.runtime.protocols import EXECUTOR
from tests.sim.specs import circle_spec
from tests.unit.engine.groups.by_hand import HandReply, HandTransport
from tests.unit.engine.telling import PROBLEM, proposal

FAILED = Failure(Boundary.METHOD, "broke", retryable=True)


def backend_on(at: HandTransport, groups: int = 4) -> GroupBackend:
    spec = circle_spec(engine={"worker_groups": groups})
    factory = WorkerGroupFactory(spec, "/a/s", EXECUTOR, at)
    return GroupBackend(spec, at, factory, lambda run_id, damaged: [])


def test_a_driver_may_wait_for_storage_before_it_has_taken_anything_over() -> None:
    at = HandTransport()
    at.now_s = 2 * UNKNOWN_S
    backend = backend_on(at)
    backend.pause(5.0)
    assert at.now_s == 2 * UNKNOWN_S + 5.0
    assert backend.adopt(1) == []
    assert len(at.placements) == 4


def test_a_launch_whose_worker_group_went_meanwhile_is_lost_and_costs_no_retry() -> None:
    at = HandTransport()
    backend = backend_on(at)
    backend.adopt(1)
    backend.launch(Launch("a", 2, proposal()))  # none has loaded
    (report,) = backend.poll(0.0)
    assert (report.run_id, report.attempt, report.ended) == ("a", 2, True)
    assert report.failure is not None
    assert report.failure.cause is Cause.LOST
    assert backend.poll(0.0) == []


class TickingTransport(HandTransport):
    """Each wait takes a while by its clock, and no time of the test."""

    def call(self, actor: Any, method: str, *args: Any) -> HandReply:
        if method == "poll":
            args = (replace(args[0], wait_s=0.0),)
        return super().call(actor, method, *args)

    def wait(self, replies: Collection[Any], timeout_s: float) -> set[Any]:
        self.now_s += 0.5
        return super().wait(replies, timeout_s)


def _opened(at: HandTransport, epoch: int) -> tuple[GroupBackend, list[Launch]]:
    """Return the backend of a new driver, prepared, and the launches that it took over."""
    backend = backend_on(at, groups=1)
    launches = backend.adopt(epoch)
    (worker,) = at.workers.values()

    def load() -> None:
        if worker.jobs:
            worker.jobs.clear()
            worker.mailbox.loaded(LoadResult())

    backend.meanwhile = load
    backend.prepare(PROBLEM)
    return backend, launches


def test_a_failure_that_no_driver_recorded_is_told_to_each_new_one() -> None:
    """Drivers die while they wait for storage, before they have recorded what they were told."""
    at = TickingTransport()
    launch = Launch("a", 0, proposal())
    first, _ = _opened(at, 1)
    first.launch(launch)
    first.poll(1.0)
    (worker,) = at.workers.values()
    worker.mailbox.ended(FAILED)
    for epoch in (2, 3):
        backend, launches = _opened(at, epoch)
        assert launches == [launch]
        assert backend.poll(1.0) == [Report("a", 0, ended=True, failure=FAILED)]
        backend.pause(5.0)  # storage is away
    backend.poll(1.0)  # it is recorded
    backend.poll(1.0)
    assert _opened(at, 4)[1] == []


def test_a_group_takes_no_launch_before_the_end_of_the_last_one_is_reported() -> None:
    at = TickingTransport()
    backend, _ = _opened(at, 1)
    backend.launch(Launch("a", 0, proposal()))
    backend.poll(1.0)
    (worker,) = at.workers.values()
    worker.mailbox.ended(FAILED)
    backend.pause(5.0)  # storage is away
    assert backend.free() == 0
    assert backend.poll(1.0) == [Report("a", 0, ended=True, failure=FAILED)]
    assert backend.free() == 1
