from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.cost import Cost
from paretoflow.core.curves import CurvePoint
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.status import RunStatus
from paretoflow.core.values import Direction, ObjectiveInfo, Problem, RunRecord
from paretoflow.engine.failures.attribution import trouble_in
from paretoflow.ledger.curves import write_chunk
from paretoflow.ledger.tables import FrontRecord
from paretoflow.spec.tracking import TensorboardTrackerSpec, TrackerSpec
from paretoflow.storage import LocalFolder
from paretoflow.tracking import Point, TrackedSweep, Tracker, following
from paretoflow.tracking.following import Trackers, facts_of
from tests.method_bench import weighted
from tests.sim.specs import circle_spec
from tests.views import two_objectives

PROBLEM = Problem(
    tuple(ObjectiveInfo(name, Direction.MAXIMIZE, "", 0.0, 1.0, 0.0) for name in ("left", "right"))
)
SPEC = TensorboardTrackerSpec(type="tensorboard")


class FakeState:
    """The reported part of a state, extended by hand."""

    def __init__(self, rows: Sequence[Evaluation] = ()) -> None:
        self.evaluations = list(rows)
        self.cost = Cost(1.0, 2.0, 3)
        self.finished, self.failed = 4, 5
        self.opened_at: float | None = 1000.0
        self.problem: Problem | None = PROBLEM
        self.hypervolume = 0.5
        self.front_size = 2
        self.runs: dict[str, RunRecord] = {}


class FakeTracker:
    """Records its calls; `known` steps are reported already, `log` raises `fault`."""

    def __init__(self, known: int = 0, fault: Exception | None = None) -> None:
        self.known, self.fault = known, fault
        self.subjects: list[TrackedSweep] = []
        self.points: list[Point] = []
        self.ended: bool | None = None
        self.gate = threading.Event()
        self.gate.set()

    def open(self, subject: TrackedSweep) -> int:
        self.subjects.append(subject)
        return self.known

    def log(self, points: Sequence[Point]) -> None:
        self.gate.wait(30)
        if self.fault:
            raise self.fault
        self.points += points

    def close(self, *, ended: bool) -> None:
        self.ended = ended


Follow = Callable[..., tuple[Trackers, list[str]]]


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Follow:
    def make(*fakes: Tracker) -> tuple[Trackers, list[str]]:
        ready = iter(fakes)
        monkeypatch.setattr(following, "build_tracker", lambda spec: next(ready))
        specs: list[TrackerSpec] = [SPEC] * len(fakes)
        warnings: list[str] = []
        return Trackers("demo", specs, {"a": "b"}, trouble_in, warnings.append), warnings

    return make


def rows(count: int, **changes: Any) -> list[Evaluation]:
    return list(two_objectives().evaluations[:count])


def test_only_what_is_new_is_told_and_totals_come_with_the_last(follow: Follow) -> None:
    fake = FakeTracker()
    trackers, warnings = follow(fake)
    state = FakeState(rows(2))
    trackers.follow(state)
    trackers.follow(state)
    state.evaluations = rows(3)
    trackers.follow(state)
    trackers.close(ended=True)
    assert [p.step for p in fake.points] == [0, 1, 2]
    assert fake.points[0].values["score/left"] == state.evaluations[0].scores[0]
    assert fake.points[0].values["stderr/right"] == state.evaluations[0].stderr[1]
    assert fake.points[0].time_s == 1000.0 + state.evaluations[0].at_s
    assert "front/size" not in fake.points[0].values
    totals = {
        "front/hypervolume": 0.5,
        "front/size": 2.0,
        "cost/wall_s": 1.0,
        "cost/device_s": 2.0,
        "cost/tokens": 3.0,
        "runs/finished": 4.0,
        "runs/failed": 5.0,
    }
    for point in fake.points[1:]:
        assert point.values.items() >= totals.items()
    assert (fake.ended, warnings) == (True, [])


def test_a_resumed_sweep_has_the_same_key_and_tells_only_what_is_not_known(follow: Follow) -> None:
    keys = []
    for known in (0, 2):
        fake = FakeTracker(known)
        trackers, _ = follow(fake)
        trackers.follow(FakeState(rows(4)))
        trackers.close(ended=False)
        assert [p.step for p in fake.points] == [0, 1, 2, 3][known:]
        keys.append(fake.subjects[0].key)
    assert keys[0] == keys[1]
    assert keys[0].startswith("demo-")


def test_a_sweep_begun_anew_under_the_same_name_has_another_key(follow: Follow) -> None:
    keys = []
    for opened_at in (1000.0, 2000.0):
        fake = FakeTracker()
        trackers, _ = follow(fake)
        state = FakeState(rows(1))
        state.opened_at = opened_at
        trackers.follow(state)
        trackers.close(ended=True)
        keys.append(fake.subjects[0].key)
    assert keys[0] != keys[1]


def test_a_tracker_that_fails_is_told_of_once_and_dropped_and_the_others_go_on(
    follow: Follow,
) -> None:
    bad, good = FakeTracker(fault=ConnectionError("no route to host")), FakeTracker()
    trackers, warnings = follow(bad, good)
    state = FakeState()
    until = time.monotonic() + 10
    while not warnings and time.monotonic() < until:
        state.evaluations = rows(min(len(state.evaluations) + 1, 4))
        trackers.follow(state)
        time.sleep(0.01)
    state.evaluations = rows(6)
    trackers.follow(state)
    trackers.close(ended=True)
    assert warnings == [
        "tracking with tensorboard has ended: the connection broke: "
        "ConnectionError: no route to host",
    ]
    assert bad.ended is None
    assert [p.step for p in good.points] == [0, 1, 2, 3, 4, 5]
    assert good.ended is True


def test_a_tracker_that_hangs_holds_up_neither_the_loop_nor_the_end(
    follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "CLOSE_S", 0.2)
    fake = FakeTracker()
    fake.gate.clear()
    trackers, warnings = follow(fake)
    began = time.monotonic()
    trackers.follow(FakeState(rows(3)))
    trackers.close(ended=True)
    assert time.monotonic() - began < 5
    assert warnings == ["tracking with tensorboard has ended: it did not take everything in 0.2 s"]
    fake.gate.set()


def test_a_queue_that_is_full_drops_its_tracker(
    follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "QUEUE", 2)
    fake = FakeTracker()
    fake.gate.clear()
    trackers, warnings = follow(fake)
    for count in range(1, 8):
        trackers.follow(FakeState(rows(count)))
    fake.gate.set()
    assert warnings == ["tracking with tensorboard has ended: 2 messages wait for it"]


def test_a_front_is_told_at_the_last_step(follow: Follow) -> None:
    fake = FakeTracker()
    trackers, _ = follow(fake)
    record = FrontRecord(3, 5.0, 9, 1, 0.5, 0.4, 0.6, (0.0, 0.0), ("x",), "d", "v")
    trackers.front(record)  # before any evaluation there is no step
    trackers.follow(FakeState(rows(2)))
    trackers.front(record)
    trackers.close(ended=True)
    values = {"front/number": 3.0, "front/hypervolume_low": 0.4, "front/hypervolume_high": 0.6}
    assert fake.points[-1] == Point(1, 5.0, values)
    assert len(fake.points) == 3


def test_values_that_are_not_finite_are_left_out(follow: Follow) -> None:
    fake = FakeTracker()
    trackers, _ = follow(fake)
    state = FakeState(rows(1))
    state.evaluations[0].diagnostics.update(kl=float("nan"), length_tokens=3.0)
    trackers.follow(state)
    trackers.close(ended=True)
    assert "diagnostic/kl" not in fake.points[0].values
    assert fake.points[0].values["diagnostic/length_tokens"] == 3.0


def test_nothing_is_opened_before_the_sweep_is_calibrated(follow: Follow) -> None:
    fake = FakeTracker()
    trackers, _ = follow(fake)
    state = FakeState()
    state.problem = None
    trackers.follow(state)
    trackers.close(ended=False)
    assert fake.subjects == []


def test_facts_name_what_a_sweep_is_looked_for_by() -> None:
    facts = facts_of(circle_spec())
    assert facts["objectives"] == "left, right"
    assert facts["model"] == "embedded"
    assert facts["proposer"] == "empty_box"
    assert facts["seed"] == "3"


def runs(*statuses: RunStatus) -> dict[str, RunRecord]:
    records = [
        RunRecord(f"r{i}", weighted(0.25, 0.75), status) for i, status in enumerate(statuses)
    ]
    return {record.run_id: record for record in records}


def chunk(root: Path, run: str, attempt: int, *losses: float) -> None:
    points = [CurvePoint(s, 10.0 + s, {"loss": loss}) for s, loss in enumerate(losses, 1)]
    write_chunk(root, (run, attempt), 0, points)


def steps(fake: FakeTracker) -> list[int]:
    return [point.step for point in fake.points]


class TestCurves:
    """The curves of a sweep's runs, each passed on to a tracker of its own."""

    @pytest.fixture
    def state(self) -> FakeState:
        state = FakeState(rows(2))
        state.runs = runs(RunStatus.RUNNING, RunStatus.RUNNING, RunStatus.PENDING)
        return state

    @pytest.fixture
    def curves(self, follow: Follow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Follow:
        monkeypatch.setattr(following, "LOOK_S", 0.0)

        def make(*fakes: Tracker) -> tuple[Trackers, list[str]]:
            of_sweep, *of_runs = fakes
            trackers, warnings = follow(of_sweep)
            trackers._folder = LocalFolder(tmp_path)
            ready = iter(of_runs)
            monkeypatch.setattr(following, "build_tracker", lambda spec: next(ready))
            return trackers, warnings

        return make

    def test_each_run_is_told_by_itself_what_is_new_until_it_is_over(
        self, curves: Follow, state: FakeState, tmp_path: Path
    ) -> None:
        sweep, one, two = FakeTracker(), FakeTracker(), FakeTracker()
        trackers, warnings = curves(sweep, one, two)
        chunk(tmp_path, "r0", 0, 0.5)
        trackers.follow(state)
        wait_for(lambda: steps(one) == [1])
        chunk(tmp_path, "r0", 0, 0.5, math.nan)
        state.runs |= runs(RunStatus.FINISHED)
        trackers.follow(state)
        wait_for(lambda: one.ended is True)
        chunk(tmp_path, "r1", 0, 3.0)
        trackers.close(ended=False)
        assert steps(one) == [1, 2]
        assert math.isnan(one.points[1].values["loss"])
        assert (steps(two), two.ended, sweep.ended) == ([1], False, False)
        (subject,) = one.subjects
        key = sweep.subjects[0].key
        assert (subject.run, subject.group, subject.key) == ("r0", key, f"{key}-r0")
        assert (subject.facts["a"], subject.facts["weights"]) == ("b", "0.25, 0.75")
        assert warnings == []

    def test_a_later_attempt_is_a_run_of_its_own(
        self, curves: Follow, state: FakeState, tmp_path: Path
    ) -> None:
        sweep, first, again = FakeTracker(), FakeTracker(), FakeTracker()
        trackers, _ = curves(sweep, first, again)
        chunk(tmp_path, "r0", 0, 0.5, 0.4)
        chunk(tmp_path, "r0", 1, 0.5, 0.3, 0.2)
        state.runs["r0"] = replace(state.runs["r0"], attempt=1)
        trackers.follow(state)
        trackers.close(ended=False)
        assert (first.subjects[0].run, first.ended) == ("r0", True)
        assert (again.subjects[0].run, again.ended) == ("r0-a1", False)
        assert (steps(first), steps(again)) == ([1, 2], [1, 2, 3])

    def test_a_new_session_passes_over_runs_that_were_over_and_steps_that_are_known(
        self, curves: Follow, state: FakeState, tmp_path: Path
    ) -> None:
        one = FakeTracker(known=3)
        trackers, warnings = curves(FakeTracker(), one)
        chunk(tmp_path, "r0", 0, 0.5)
        chunk(tmp_path, "r1", 0, 0.5, 0.4, 0.3, 0.2)
        state.runs |= runs(RunStatus.FINISHED)
        trackers.follow(state)
        trackers.close(ended=True)
        assert (one.subjects[0].run, steps(one)) == ("r1", [3, 4])
        assert warnings == []

    def test_a_curve_that_cannot_be_read_costs_no_tracker(
        self, curves: Follow, state: FakeState, tmp_path: Path
    ) -> None:
        sweep = FakeTracker()
        trackers, warnings = curves(sweep)
        chunk(tmp_path, "r0", 0, 0.5)
        (tmp_path / "curves/r0/a0/0000.arrow").write_bytes(b"torn")
        trackers.follow(state)
        trackers.close(ended=True)
        (warning,) = warnings
        assert "curves were not tracked" in warning
        assert (steps(sweep), sweep.ended) == ([0, 1], True)


def wait_for(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)
