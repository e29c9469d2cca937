"""Calls of a driver to its worker groups at any time; `tests/sim` has whole sweeps."""

from __future__ import annotations

from paretoflow.core.launch import Launch
from paretoflow.engine.groups.backend import GroupBackend
from paretoflow.engine.groups.discovery import WorkerGroupFactory
from paretoflow.engine.groups.pool import UNKNOWN_S
from paretoflow.engine.messages import Cause
from paretoflow.engine.runtime.protocols import EXECUTOR
from tests.sim.specs import circle_spec
from tests.unit.engine.groups.by_hand import HandTransport
from tests.unit.engine.telling import proposal


def backend_on(at: HandTransport) -> GroupBackend:
    spec = circle_spec()
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
