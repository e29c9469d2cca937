"""What becomes of a worker group that is lost; `tests/integration` has the rest."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.engine.messages import Cause, Failure
from paretoflow.ledger.fragments import write_fragment
from paretoflow.ledger.tables import EventKind
from paretoflow.storage import LocalFolder
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import done, proposal, scored

pytestmark = pytest.mark.ray
pytest.importorskip("ray")
module = importlib.import_module("paretoflow.engine.ray.monitor")
handle = importlib.import_module("paretoflow.engine.ray.worker_handle")

LAUNCH = Launch("a", 1, proposal())
DIED = Failure(Boundary.WORKER, "the worker died", retryable=True)


@pytest.fixture
def failed_starts() -> list[int]:
    return []


@pytest.fixture
def monitor(tmp_path: Path, failed_starts: list[int]) -> Any:
    """A monitor over a pool that only counts groups which never got to work."""
    pool = SimpleNamespace(
        replace=lambda group: None,
        record_start_failure=lambda slot, error: failed_starts.append(slot),
    )
    return module.GroupMonitor(LocalFolder(tmp_path), pool, lambda: 0.0, alone=True)


def lost_gang(**changes: Any) -> Any:
    facts = {"slot": 0, "workers": [SimpleNamespace(loaded=True)], "leaving": "", "launch": LAUNCH}
    return SimpleNamespace(**facts | changes)


def test_a_lost_gang_that_had_finished_is_no_failure(monitor: Any, tmp_path: Path) -> None:
    events = [scored("a", (0.5, 5), attempt=1), done("a", 1)]
    write_fragment(tmp_path, events)
    write_fragment(tmp_path, [scored("b", (0.5, 5))])
    (report,) = monitor.lose(lost_gang(), DIED)
    assert (report.run_id, report.attempt, report.ended, report.failure) == ("a", 1, True, None)
    assert [e.event_id for e in report.events] == [e.event_id for e in events]


def test_a_lost_gang_leaves_the_checkpoints_that_it_had_written(
    monitor: Any, failed_starts: list[int], tmp_path: Path
) -> None:
    write_fragment(tmp_path, [scored("a", (0.5, 5), attempt=1)])
    (report,) = monitor.lose(lost_gang(), DIED)
    assert [e.kind for e in report.events] == [EventKind.EVALUATED]
    assert report.failure == DIED
    assert failed_starts == []


def test_a_gang_lost_while_it_leaves_costs_no_retry(monitor: Any) -> None:
    (report,) = monitor.lose(lost_gang(leaving="its node goes"), DIED)
    assert report.failure.cause is Cause.LOST
    assert report.failure.message == "its node goes: the worker died"


def test_a_gang_lost_before_it_had_loaded_has_nothing_to_report(
    monitor: Any, failed_starts: list[int]
) -> None:
    group = lost_gang(launch=None, workers=[SimpleNamespace(loaded=False)])
    assert monitor.lose(group, DIED) == []
    assert failed_starts == [0]


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
    assert handle.wait_s_of(circle_spec(engine=engine)) == wait_s
