"""What becomes of a worker group that is lost; `tests/sim` has the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.errors import DamagedError
from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.engine.groups.discovery import WorkerGroupFactory
from paretoflow.engine.groups.monitor import GroupMonitor
from paretoflow.engine.groups.pool import WorkerGroupPool
from paretoflow.engine.groups.worker_group import WorkerGroup
from paretoflow.engine.groups.worker_handle import GroupOptions, wait_s_of
from paretoflow.engine.messages import Cause, Failure, Report
from paretoflow.engine.runtime.poll import LoadResult
from paretoflow.engine.runtime.protocols import EXECUTOR
from paretoflow.ledger.fragments import read_fragments, write_fragment
from paretoflow.ledger.tables import EventKind
from tests.sim.specs import circle_spec
from tests.unit.engine.groups.by_hand import HandTransport
from tests.unit.engine.telling import PROBLEM, done, proposal, scored

LAUNCH = Launch("a", 1, proposal())
DIED = Failure(Boundary.WORKER, "the worker died", retryable=True)


class Watched:
    """One worker group under a monitor, over workers that a test moves by hand."""

    def __init__(self, folder: Path, ranks: int = 1) -> None:
        spec = circle_spec(engine={"worker_groups": 1, "resources": {"ranks": ranks}})
        self.at = HandTransport()
        factory = WorkerGroupFactory(spec, "/a/s", EXECUTOR, self.at)
        self.pool = WorkerGroupPool(spec.engine, factory, self.at)

        def fragments(run_id: str, damaged: Any) -> Any:
            return read_fragments(folder, run_id=run_id, damaged=damaged)

        self.monitor = GroupMonitor(self.at, fragments, self.pool, self.at.time, alone=True)
        self.monitor.problem = PROBLEM
        self.pool.fill(GroupOptions(self.at, 1, spec.engine.limits, 0.0, alone=True))
        self.poll()

    @property
    def group(self) -> WorkerGroup:
        (group,) = self.pool
        return group

    def poll(self) -> list[Report]:
        return self.monitor.poll(0.0)

    def work(self) -> None:
        """Load, and take a launch."""
        self.poll()
        for worker in self.group.workers:
            worker.actor.mailbox.loaded(LoadResult())
        self.poll()
        self.group.begin(LAUNCH)
        self.poll()

    def lose(self) -> list[Report]:
        """Let the worker die, and the monitor notice."""
        self.at.gone[self.group.workers[0].actor] = DIED
        return self.poll()


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_lost_group_that_had_finished_is_no_failure(watched: Watched, tmp_path: Path) -> None:
    events = [scored("a", (0.5, 5), attempt=1), done("a", 1)]
    write_fragment(tmp_path, events)
    write_fragment(tmp_path, [scored("b", (0.5, 5))])
    watched.work()
    (report,) = watched.lose()
    assert (report.run_id, report.attempt, report.ended, report.failure) == ("a", 1, True, None)
    assert [e.event_id for e in report.events] == [e.event_id for e in events]


def test_a_lost_group_leaves_the_checkpoints_that_it_had_written_and_is_replaced(
    watched: Watched, tmp_path: Path
) -> None:
    write_fragment(tmp_path, [scored("a", (0.5, 5), attempt=1)])
    watched.work()
    lost = watched.group
    (report,) = watched.lose()
    assert [e.kind for e in report.events] == [EventKind.EVALUATED]
    assert report.failure == DIED
    assert watched.pool.error is None, "it had got to work"
    assert watched.at.ended == [lost.placement, lost.workers[0].actor]
    watched.poll()
    assert watched.group is not lost


def test_a_fragment_that_is_damaged_is_told_with_the_failure(watched: Watched) -> None:
    def fragments(run_id: str, damaged: Any) -> list[Any]:
        damaged(DamagedError("not whole", "fragments/a-1.parquet"))
        return []

    watched.monitor = GroupMonitor(watched.at, fragments, watched.pool, watched.at.time, alone=True)
    watched.monitor.problem = PROBLEM
    watched.work()
    (report,) = watched.lose()
    assert report.failure is not None
    assert "damaged and set aside: fragments/a-1.parquet" in report.failure.message


def test_a_group_lost_while_it_leaves_costs_no_retry(watched: Watched) -> None:
    watched.work()
    watched.group.drain("its node goes")
    (report,) = watched.lose()
    assert report.failure is not None
    assert report.failure.cause is Cause.LOST
    assert report.failure.message == "its node goes: the worker died"


def test_what_a_rank_told_of_the_attempt_counts_more_than_the_loss_of_its_group(
    tmp_path: Path,
) -> None:
    watched = Watched(tmp_path, ranks=2)
    watched.work()
    first, second = (worker.actor for worker in watched.group.workers)
    told = Failure(Boundary.WORKER, "out of memory", retryable=True, cause=Cause.OUT_OF_MEMORY)
    first.mailbox.ended(told)
    assert watched.poll() == [], "the other rank has not ended"
    watched.at.gone[second] = replace(DIED, cause=Cause.DIED)
    (report,) = watched.poll()
    assert report.failure == told


def test_a_group_lost_before_it_had_loaded_has_nothing_to_report(watched: Watched) -> None:
    assert watched.lose() == []
    assert watched.pool.error == DIED


@pytest.mark.parametrize(
    ("engine", "wait_s"),
    [
        ({"worker_groups": 2}, 2.0),
        ({"worker_groups": 600}, 12.0),
        ({"worker_groups": 500, "resources": {"ranks": 8}}, 15.0),
        ({"worker_groups": 2, "limits": {"run_s": 4}}, 1.0),
        ({"worker_groups": 2, "limits": {"orphan_s": 0.1}}, 0.25),
    ],
)
def test_many_ranks_are_asked_less_often_and_strict_limits_more_often(
    engine: dict[str, Any], wait_s: float
) -> None:
    assert wait_s_of(circle_spec(engine=engine)) == wait_s
