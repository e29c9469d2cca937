from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.cost import Cost
from paretoflow.core.errors import SweepNotFoundError
from paretoflow.engine.live import LIVE_FILE, GroupPhase, GroupState, Live, live_json
from paretoflow.engine.read.status import SILENT_S, StandingReader, SweepStatus, facts, left
from paretoflow.engine.session.folder import enter_folder
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event, EventKind
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import (
    CALIBRATED,
    base,
    done,
    failed,
    folded,
    opened,
    proposed,
    scored,
    started,
)

COST = Cost(wall_s=100.0, device_s=400.0, tokens=7)
FINISHED = (proposed("a"), started("a"), scored("a", (0.75, 4.0), cost=COST), done("a"))


def _standing(*events: Event, live: Live | None = None, **changes: Any) -> SweepStatus:
    plain = {"stop": {"runs": 4}, "engine": {"worker_groups": 2}} | changes
    spec = circle_spec(method={"type": "dpo", "steps": 40}, **plain).model_dump(mode="json")
    state = folded(opened(), CALIBRATED, base(), *events)
    return SweepStatus(spec, state, live, 3.0, 0, (0.0, 0.0))


def _live(*groups: GroupState) -> Live:
    return Live(1000.0, 2, "head:7", groups, 0.5)


def _busy(slot: int, run_id: str, step: int) -> GroupState:
    return GroupState(slot, GroupPhase.BUSY, 900.0, run_id, step=step)


def test_nothing_is_estimated_without_a_finished_run() -> None:
    assert left(_standing(proposed("a"), started("a"))) is None
    assert facts(_standing())["left"] is None


def test_what_is_left_is_the_mean_of_the_finished_runs() -> None:
    """Three runs of 100 s and 400 device seconds on two worker groups."""
    estimate = left(_standing(*FINISHED))
    assert estimate is not None
    assert (estimate.seconds, estimate.device_s) == pytest.approx((150.0, 1200.0))


def test_the_steps_of_a_group_count_as_done() -> None:
    """One open run at step 30 of 40 and two to come: 2.25 runs on two worker groups."""
    open_run = (proposed("b"), started("b"))
    waiting = GroupState(1, GroupPhase.WAITING, 0.0, reason="no GPU")
    live = _live(_busy(0, "b", 30), waiting, GroupState(2, GroupPhase.IDLE, 0.0))
    estimate = left(_standing(*FINISHED, *open_run, live=live))
    assert estimate is not None
    assert (estimate.seconds, estimate.device_s) == pytest.approx((112.5, 900.0))


def test_without_steps_what_an_open_run_was_charged_counts() -> None:
    open_run = (proposed("b"), started("b"), scored("b", (0.7, 4.0), cost=Cost(50.0, 200.0, 0)))
    estimate = left(_standing(*FINISHED, *open_run, stop={"runs": 2}))
    assert estimate is not None
    assert (estimate.seconds, estimate.device_s) == pytest.approx((50.0, 200.0))


def test_a_sweep_whose_runs_are_all_done_has_nothing_left() -> None:
    estimate = left(_standing(*FINISHED, stop={"runs": 1}))
    assert estimate is not None
    assert (estimate.seconds, estimate.device_s) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("stop", "device_s"),
    [
        ({"hours": 75 / 3600}, 600.0),  # half of the 150 s
        ({"cost": 2.5}, 600.0),  # 2.5 at 9 an hour are 1000 s, of which 400 s are spent
        ({"hours": 9.0, "cost": 99.0}, 1200.0),
    ],
)
def test_other_ends_bound_the_estimate(stop: dict, device_s: float) -> None:
    engine = {"worker_groups": 2, "price": 9.0}
    estimate = left(_standing(*FINISHED, stop={"runs": 4, **stop}, engine=engine))
    assert estimate is not None
    assert estimate.device_s == pytest.approx(device_s)
    assert estimate.seconds == pytest.approx(device_s / 8)


def test_failures_are_counted_by_boundary_and_by_cause() -> None:
    again = (proposed("b"), started("b"), failed("b", final=False))
    found = facts(_standing(*again, proposed("c"), started("c"), failed("c", final=True)))
    assert found["failures"] == {"method": 2}
    assert found["failed_attempts"] == {"error": 2}


def test_groups_are_told_as_last_seen() -> None:
    found = facts(_standing(*FINISHED, live=_live(_busy(0, "b", 30))))
    assert found["driver"] == {"where": "head:7", "epoch": 2, "silent_s": 3.0}
    (group,) = found["worker_groups"]
    assert (group["phase"], group["run_id"], group["step"], group["steps"]) == ("busy", "b", 30, 40)
    assert group["for_s"] == pytest.approx(103.0)
    assert found["utilisation"] == 0.5
    json.dumps(found)


def test_the_groups_of_a_sweep_that_ended_are_gone() -> None:
    end = Event("closed:0", EventKind.CLOSED, 9.0, message="enough")
    found = facts(_standing(*FINISHED, end, live=_live(_busy(0, "b", 30))))
    assert (found["state"], found["worker_groups"]) == ("ended", [])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    enter_folder(circle_spec(), tmp_path / "circle")
    return tmp_path / "circle"


def test_a_sweep_that_no_driver_has_begun_is_submitted(root: Path) -> None:
    assert StandingReader(root).look(0.0).phase == "submitted"


def test_a_reader_sees_what_is_added(root: Path) -> None:
    reader = StandingReader(root)
    reader.look(0.0)
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    ledger.append([opened(), CALIBRATED, base(), *FINISHED[:2]])
    assert reader.look(0.0).phase == "running or interrupted"
    (root / LIVE_FILE).write_bytes(live_json(_live()))
    assert reader.look(1000.0 + SILENT_S).phase == "running"
    late = reader.look(1001.0 + SILENT_S)
    assert late.phase == "interrupted"
    assert late.silent_s == SILENT_S + 1
    ledger.append(FINISHED[2:])
    found = reader.look(900.0)
    assert found.silent_s == 0.0, "a sign from a clock that is ahead is one from now"
    assert found.state.finished == 1
    assert found.interval[0] <= found.state.hypervolume <= found.interval[1]
    ledger.append([Event("closed:0", EventKind.CLOSED, 9.0, message="enough")])
    assert reader.look(0.0).phase == "ended"


def test_no_sweep_there(tmp_path: Path) -> None:
    with pytest.raises(SweepNotFoundError):
        StandingReader(tmp_path)
