from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.cost import Cost
from paretoflow.core.status import RunStatus
from paretoflow.engine.state.events import paused, problem_from, problem_payload
from paretoflow.engine.state.measured_rows import GrowingRows
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.tables import Event, EventKind
from tests.faults import raises
from tests.sim.chaos import world_of
from tests.unit.engine.telling import (
    CALIBRATED,
    PROBLEM,
    base,
    done,
    failed,
    folded,
    numbered,
    opened,
    proposal,
    proposed,
    scored,
    started,
    stopped,
)

BEGUN = (opened(), CALIBRATED, base())


def test_costs_add_up_by_run_and_over_the_sweep() -> None:
    state = folded(
        opened(),
        CALIBRATED,
        base(cost=Cost(1.0, 2.0, 3)),
        proposed("a"),
        started("a"),
        scored("a", (0.6, 4), step=1, cost=Cost(10.0, 20.0, 30)),
        scored("a", (0.7, 3), step=2, cost=Cost(100.0, 200.0, 300)),
        done("a"),
    )
    assert state.runs["a"].cost == Cost(110.0, 220.0, 330)
    assert state.cost == Cost(111.0, 222.0, 333)


def test_the_curve_tells_the_front_after_the_base_and_each_finished_run() -> None:
    """By hand, against the reference (0, 10 words).

    The base alone spans 0.5 x 5 = 2.5; (0.8, 8) adds (0.8 - 0.5) x 2 = 0.6 to it.
    """
    state = folded(
        *BEGUN,
        proposed("a"),
        started("a"),
        scored("a", (0.8, 8), cost=Cost(1, 4)),
        done("a"),
        proposed("b"),
        started("b"),
        scored("b", (0.1, 9), cost=Cost(1, 2)),
        done("b"),
    )
    counts, device_s, volumes = zip(*state.curve, strict=True)
    assert counts == (0, 1, 2)
    assert device_s == (0, 4, 6)
    np.testing.assert_allclose(volumes, [2.5, 3.1, 3.1])


def test_the_front_version_grows_only_when_the_front_changes() -> None:
    events = [*BEGUN, proposed("a"), started("a")]
    assert folded(*events).front_version == 1
    dominated = [*events, scored("a", (0.4, 6), step=1)]
    assert folded(*dominated).front_version == 1
    state = folded(*dominated, scored("a", (0.6, 4), step=2))
    assert state.front_version == 2
    assert state.front_size == 1
    assert [state.evaluations[i].run_id for i in state.front_indices] == ["a"]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((started("a"),), "never proposed"),
        ((proposed("a"), done("a"), started("a")), "finished to running"),
        ((proposed("a"), failed("a", final=True), done("a")), "failed to finished"),
        ((proposed("a"), stopped("a"), started("a")), "stopped to running"),
    ],
)
def test_what_no_run_can_do_is_refused(events: tuple[Event, ...], words: str) -> None:
    with raises("ledger-inconsistent", words):
        folded(*BEGUN, *events)


def test_scores_before_the_calibration_are_refused() -> None:
    with raises("ledger-inconsistent", "calibration"):
        folded(opened(), base())
    with raises("ledger", "calibration"):
        folded(opened()).history()


def test_a_new_driver_finds_the_runs_of_the_old_one_waiting() -> None:
    state = folded(
        *BEGUN,
        proposed("running"),
        started("running"),
        proposed("stopped"),
        started("stopped"),
        stopped("stopped"),
        proposed("finished"),
        started("finished"),
        done("finished"),
        Event("closed:0", EventKind.CLOSED, 1.0, message="stopped by the user"),
        opened(1),
    )
    statuses = {run_id: run.status.value for run_id, run in state.runs.items()}
    assert statuses == {"running": "pending", "stopped": "pending", "finished": "finished"}
    assert [r.run_id for r in state.open_runs()] == ["running", "stopped"]
    assert state.closed == ""


def _aside(run_id: str, attempt: int = 0, cost: Cost | None = None) -> Event:
    return paused(run_id, attempt, 9.0, "two are ahead", 3, cost)


TWO_OPEN = (*BEGUN, proposed("a"), started("a"), proposed("b"), started("b"))


def test_a_paused_run_has_ended_for_proposers_and_goes_on_where_it_stood_among_the_others() -> None:
    told = [*TWO_OPEN, scored("a", (0.6, 5)), _aside("a", cost=Cost(2.0, 4.0))]
    aside = folded(*told, opened(1))
    assert (aside.paused, [r.run_id for r in aside.open_runs()]) == ({"a"}, ["b"])
    assert (aside.runs["a"].message, aside.runs["a"].cost) == ("two are ahead", Cost(2.0, 4.0))
    assert [r.run_id for r in aside.history().runs] == ["a"]
    assert aside.history().run_index.tolist() == [-1, 0]
    again = folded(*told, started("a", 1))
    assert (again.paused, again.resumed_at) == (set(), {"a": 2})
    assert [r.run_id for r in again.open_runs()] == ["a", "b"]
    assert again.runs["a"].message == ""
    assert again.history().run_index.tolist() == [-1, -2]
    assert folded(*told, started("a", 1), done("a", 1)).finished == 1


def test_a_pause_that_is_told_too_late_changes_nothing() -> None:
    lost = [*TWO_OPEN, failed("a", final=False), started("a", 1)]
    assert folded(*lost, _aside("a")).runs["a"].status is RunStatus.RUNNING
    assert folded(*TWO_OPEN, done("a"), _aside("a")).runs["a"].status is RunStatus.FINISHED


def test_a_paused_run_can_turn_out_to_have_finished() -> None:
    state = folded(*TWO_OPEN, _aside("a"), done("a"))
    assert (state.paused, state.finished) == (set(), 1)
    assert [r.status for r in state.history().runs] == [RunStatus.FINISHED]


def test_the_attempt_of_a_pause_whose_start_was_never_told_is_not_used_again() -> None:
    state = folded(*BEGUN, proposed("a"), _aside("a"))
    assert "a" in state.started_at


def test_a_failure_that_is_not_final_leaves_the_run_waiting() -> None:
    events = [*BEGUN, proposed("a"), started("a"), failed("a", 0, final=False)]
    waiting = folded(*events)
    assert waiting.runs["a"].status is RunStatus.PENDING
    assert (waiting.failures.by_run["a"]["error"], waiting.failed) == (1, 0)
    over = folded(*events, started("a", 1), failed("a", 1, final=True))
    assert over.runs["a"].status is RunStatus.FAILED
    assert over.runs["a"].message == "the loss is nan"
    assert (over.failures.by_run["a"]["error"], over.failed, over.open_runs()) == (2, 1, [])


def test_time_at_work_leaves_out_the_time_between_two_sessions() -> None:
    state = folded(
        opened(0, at=1000.0),
        CALIBRATED,
        scored("base", (0.5, 5), step=0, at=1030.0),
        replace(proposed("a"), time_s=1030.0),
        opened(1, at=9000.0),
        # found in a fragment, made between the sessions: takes no time of the second
        scored("base", (0.5, 5), step=1, at=1040.0),
        Event("closed:1", EventKind.CLOSED, 9005.0),
    )
    assert state.elapsed_s() == 35.0
    assert state.evaluations[0].at_s == 30.0


def test_seconds_of_an_attempt_that_nothing_has_charged_yet() -> None:
    state = folded(
        *BEGUN,
        proposed("a"),
        started("a", 0, at=10.0),
        scored("a", (0.5, 5), attempt=0, cost=Cost(7.0, 7.0)),
        failed("a", 0, final=False, at=20.0),
        started("a", 1, at=100.0),
        scored("a", (0.5, 5), attempt=1, cost=Cost(3.0, 3.0)),
    )
    assert state.uncharged_s("a", 105.0) == pytest.approx(2.0)


def test_a_result_that_comes_after_its_attempt_was_given_up_is_not_charged_twice() -> None:
    """By hand: the failure at 20 charges 20 - 10; a result of 13 to 23 adds 3 of its 10."""
    state = folded(
        *BEGUN,
        proposed("a"),
        started("a", 0, at=10.0),
        replace(failed("a", 0, final=True, at=20.0), wall_s=10.0, device_s=20.0),
        scored("a", (0.5, 5), step=1, cost=Cost(2.0, 4.0, 7), at=13.0),
        scored("a", (0.5, 5), step=2, cost=Cost(10.0, 20.0, 7), at=23.0),
    )
    assert state.cost == state.runs["a"].cost
    assert (state.cost.wall_s, state.cost.tokens) == (pytest.approx(13.0), 14)
    assert state.cost.device_s == pytest.approx(26.0)


def test_history_points_every_row_at_its_run() -> None:
    state = folded(
        *BEGUN,
        *(proposed(r) for r in "abcd"),
        started("a"),
        started("b"),
        started("c"),
        scored("c", (0.6, 5)),
        scored("a", (0.7, 6)),
        scored("b", (0.1, 9)),
        done("c"),
        failed("b", final=True),
    )
    history = state.history()
    assert [r.run_id for r in history.runs] == ["b", "c"]  # as proposed, not as ended
    assert history.run_index.tolist() == [-1, 1, -2, 0]
    assert history.snapshot_ids == ("base", "c-a0-s0001", "a-a0-s0001", "b-a0-s0001")
    np.testing.assert_array_equal(
        history.gains, [[0.5, -5.0], [0.6, -5.0], [0.7, -6.0], [0.1, -9.0]]
    )
    assert history.front.tolist() == [1, 2]
    assert history.ref.tolist() == [0.0, -10.0]
    assert history.ideal.tolist() == [1.0, 0.0]
    assert history.nadir.tolist() == [0.0, -10.0]


def test_a_history_kept_up_to_date_is_one_made_from_the_start() -> None:
    compared = 0
    for seed in (1, 4, 285):
        world = world_of(seed)
        world.run()
        state = SweepState()
        for event in world.store.events:
            state.apply([event])
            if state.problem is not None and event.kind is not EventKind.STARTED:
                compared += _assert_history(state)
    assert compared > 100


def _assert_history(state: SweepState) -> int:
    history = state.history()
    over = (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.PAUSED)
    ended = [r for r in state.runs.values() if r.status in over]
    assert list(history.runs) == ended
    places = {r.run_id: place for place, r in enumerate(ended)}
    assert history.run_index.tolist() == [places.get(e.run_id, -2) for e in state.evaluations]
    assert history.snapshot_ids == tuple(e.snapshot_id for e in state.evaluations)
    waiting = [r for r in state.open_runs() if r.status is RunStatus.PENDING]
    assert state.waiting_runs() == waiting
    assert state.open_proposals() == [r.proposal for r in state.open_runs()]
    for row in state.evaluations:
        assert state.row_of(row.snapshot_id) == row
    return 1


def test_history_without_any_run_holds_the_base_alone() -> None:
    history = folded(*BEGUN).history()
    assert history.run_index.tolist() == [-1]
    assert history.runs == ()
    empty = folded(opened(), CALIBRATED).history()
    assert empty.gains.shape == (0, 2)
    assert empty.run_index.shape == (0,)


def test_a_history_does_not_change_when_the_sweep_goes_on() -> None:
    state = folded(*BEGUN)
    history = state.history()
    rows = [scored("base", (0.5 + i / 1000, 5), step=i + 1) for i in range(200)]
    state.apply([e for e in numbered([*BEGUN, *rows]) if e.seq > state.seq])
    assert history.gains.tolist() == [[0.5, -5.0]]
    assert state.history().gains.shape == (201, 2)


def test_folding_in_pieces_is_folding_at_once() -> None:
    events = numbered(
        [*BEGUN, proposed("a"), started("a"), scored("a", (0.7, 5)), done("a"), proposed("b")]
    )
    piecewise = SweepState()
    for event in events:
        piecewise.apply([event])
    whole = folded(*events)
    assert piecewise.runs == whole.runs
    assert piecewise.curve == whole.curve
    assert piecewise.seq == whole.seq == len(events) - 1
    np.testing.assert_array_equal(piecewise.history().gains, whole.history().gains)


def test_growing_rows_keep_every_row_and_hand_out_views_that_cannot_be_written() -> None:
    rows = GrowingRows(3)
    wanted = np.arange(600, dtype=np.float64).reshape(200, 3)
    first = None
    for row in wanted:
        rows.append(row)
        first = rows.array if first is None else first
    np.testing.assert_array_equal(rows.array, wanted)
    np.testing.assert_array_equal(first, wanted[:1])
    with pytest.raises(ValueError, match="read-only"):
        rows.array[0, 0] = 1.0


def test_a_problem_survives_its_payload() -> None:
    assert problem_from(json.loads(json.dumps(problem_payload(PROBLEM)))) == PROBLEM


def test_a_proposal_comes_back_as_it_was_made() -> None:
    made = proposal(0.3, parent="r0000-a0-s0001")
    assert folded(*BEGUN, proposed("a", made)).runs["a"].proposal == made
