"""What the Ray backend decides by itself, without a Ray; `tests/integration` has the rest."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paretoflow.core.errors import ModelError, WorkerError
from paretoflow.core.status import Boundary
from paretoflow.core.values import Problem
from paretoflow.engine.backend import Launch, Report
from paretoflow.ledger.fragments import write_fragment
from paretoflow.ledger.tables import EventKind
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import CALIBRATED, PROBLEM, done, proposal, scored

pytestmark = pytest.mark.ray
pytest.importorskip("ray")
ray_backend = importlib.import_module("paretoflow.engine.ray_backend")

LAUNCH = Launch("a", 1, proposal())


@pytest.fixture
def backend(tmp_path: Path) -> Any:
    """A backend that started no Ray and has no workers."""
    made = object.__new__(ray_backend.RayBackend)
    made._spec = circle_spec(engine={"limits": {"run_s": 10}})
    made._root = tmp_path
    made._problem = PROBLEM
    return made


def test_a_lost_worker_that_had_finished_is_no_failure(backend: Any, tmp_path: Path) -> None:
    events = [scored("a", (0.5, 5), attempt=1), done("a", 1)]
    write_fragment(tmp_path, events)
    write_fragment(tmp_path, [scored("b", (0.5, 5))])
    report = backend._lost(LAUNCH, WorkerError("the worker died", "a"))
    assert (report.run_id, report.attempt, report.ended, report.failure) == ("a", 1, True, None)
    assert [e.event_id for e in report.events] == [e.event_id for e in events]


def test_a_lost_worker_leaves_the_checkpoints_that_it_had_written(
    backend: Any, tmp_path: Path
) -> None:
    write_fragment(tmp_path, [scored("a", (0.5, 5), attempt=1)])
    report = backend._lost(LAUNCH, WorkerError("the worker died", "a"))
    assert [e.kind for e in report.events] == [EventKind.EVALUATED]
    assert report.failure.boundary is Boundary.WORKER
    assert report.failure.retryable


def test_the_limit_of_a_run_starts_when_its_worker_has_loaded(
    backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, loaded, killed = [0.0], [False], []
    monkeypatch.setattr(ray_backend.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(
        ray_backend.ray, "wait", lambda refs, timeout: (refs if loaded[0] else [], [])
    )
    monkeypatch.setattr(ray_backend.ray, "kill", killed.append)
    fresh = SimpleNamespace(prepare=SimpleNamespace(remote=lambda problem: "loading again"))
    monkeypatch.setattr(backend, "_new_actor", lambda: fresh)
    slot = ray_backend._Slot("old", loading="loading", busy=LAUNCH, result="result", since=0.0)
    now[0] = 60.0
    assert backend._enforce_limit(slot) == []
    loaded[0] = True
    now[0] = 61.0
    assert backend._enforce_limit(slot) == []
    now[0] = 71.0
    assert backend._enforce_limit(slot) == []
    now[0] = 71.1
    (report,) = backend._enforce_limit(slot)
    assert "ran past engine.limits.run_s = 10 s" in report.failure.message
    assert killed == ["old"]
    assert (slot.actor, slot.loading, slot.busy) == (fresh, "loading again", None)


@pytest.mark.train
def test_a_worker_that_could_not_load_tells_why_at_its_first_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretoflow.engine import worker

    loads: list[int] = []

    class Workshop:
        """Cannot be built before the third time."""

        def __init__(self, spec: Any, root: Path, threads: int) -> None:
            loads.append(1)
            if len(loads) < 3:
                raise ModelError("out of memory")

        def prepare(self) -> list[Any]:
            return [CALIBRATED]

        def ready(self, problem: Problem) -> None:
            assert problem == PROBLEM

        def execute(self, launch: Launch, tell: Any) -> Report:
            tell(Report(launch.run_id, launch.attempt))
            return Report(launch.run_id, launch.attempt, ended=True)

    monkeypatch.setattr(worker, "Workshop", Workshop)
    actor = ray_backend.RayWorker(circle_spec().model_dump(mode="json"), str(tmp_path), 1)
    with pytest.raises(ModelError, match="out of memory"):
        actor.prepare(PROBLEM)
    with pytest.raises(ModelError, match="out of memory"):
        actor.execute(LAUNCH)
    assert actor.execute(LAUNCH).ended
    assert actor.drain() == [Report("a", 1)]
    assert actor.drain() == []
    assert actor.prepare(None) == [CALIBRATED]
