"""Repeated failures: equality of failures, the limit for a sweep, and its continuation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from paretoflow.core.launch import Launch
from paretoflow.core.status import RunStatus
from paretoflow.core.values import Proposal
from paretoflow.engine.loop.planner import decide, exhausted, failing
from paretoflow.engine.messages import Report
from paretoflow.engine.session.simulate import simulate
from paretoflow.engine.state.failures import Streak, pattern_of
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.tables import Event, EventKind
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.unit.engine.loop.test_planner import MANY, Listed
from tests.unit.engine.scripted import ScriptedBackend, crash, driver_over, result, told
from tests.unit.engine.telling import (
    CALIBRATED,
    base,
    closed,
    done,
    failed,
    folded,
    opened,
    proposed,
    started,
)

BEGUN = (opened(), CALIBRATED, base())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "run r0003-9f31aa: the loss is nan at step 12",
            "run r0011-374f11: the loss is nan at step 7",
        ),
        ("r0003-9f31aa-a0-s0010: torn", "r0004-9f31ab-a2-s0120: torn"),
        (
            "OSError: [Errno 2] no such file: '/tmp/a/b-1'",
            "OSError: [Errno 2] no such file: '/mnt/x'",
        ),
        ("s3://bucket/a/b: failed", "s3://bucket/c: failed"),
        (
            "objective x: returned nan for row 3, prompt 0f31aa99c0ffee11 (the answer was 'a b')",
            "objective x: returned inf for row 7, prompt 77aa0011c0ffee11 (the answer was 'I\\'m')",
        ),
        ("ConnectionError: 10.0.0.3:8000 refused", "ConnectionError: 10.0.0.17:8001 refused"),
        ("RuntimeError: 0x7f31aa at rank0", "RuntimeError: 0x7f31ab at rank3"),
        ("CUDA error on cuda:1, 1.5e-3 left", "CUDA error on cuda:0, 20 left"),
        (
            "request 550e8400-e29b-41d4-a716-446655440000 failed",
            "request 650e8400-e29b-41d4-a716-446655440001 failed",
        ),
    ],
)
def test_the_same_failure_is_the_same_whatever_run_place_or_number_it_names(
    one: str, other: str
) -> None:
    assert one != other
    assert pattern_of(one) == pattern_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ValueError: the server is down", "ValueError: the answer is empty"),
        ("ValueError: down", "RuntimeError: down"),
        ("KeyError: 'tone'", "KeyError: 'style'"),
        ("objective left: raised", "objective right: raised"),
        ("", "RuntimeError"),
    ],
)
def test_another_failure_is_another(one: str, other: str) -> None:
    assert pattern_of(one) != pattern_of(other)


def test_a_quotation_is_what_somebody_said_and_a_short_word_in_quotes_is_a_name() -> None:
    assert pattern_of("cannot parse 'yes I can'") == pattern_of("cannot parse 'no \\'I\\' can\\'t'")
    assert pattern_of("cannot parse ''") == pattern_of('cannot parse "it\'s a"')
    assert pattern_of("no column 'answer'") != pattern_of("no column 'text'")


def test_the_code_of_the_last_failure_is_kept_and_earlier_versions_wrote_none() -> None:
    event = failed("a", final=True)
    assert "code" not in event.payload
    assert Streak().with_failure(event).code == ""
    coded = replace(event, payload={**event.payload, "code": "objective-shape"})
    streak = Streak().with_failure(event).with_failure(coded)
    assert (streak.code, len(streak)) == ("objective-shape", 2)


def test_a_message_of_any_length_is_compared_at_once() -> None:
    assert pattern_of("'" * 10**6) == pattern_of("'" * 10**7)


def fail(*runs: str, **how: Any) -> list[Event]:
    return [e for r in runs for e in (proposed(r), started(r), failed(r, final=True, **how))]


def finish(run: str) -> list[Event]:
    return [proposed(run), started(run), done(run)]


SPEC = circle_spec(stop={"runs": 9})
BROKEN = [
    fail("a", "b", "c"),
    [*finish("f"), *fail("a", "b", "c")],
    [*fail("z", message="another"), *fail("a", "b", "c")],
    [*fail("a"), *fail("b", message="the loss is inf"), *fail("c", "d")],
    [*fail("a", "b", "c"), opened(1)],  # the driver died before it could close
]
SOUND = [
    fail("a", "b"),
    [*fail("a", "b"), *finish("f"), *fail("c", "d")],
    [*fail("a", "b"), *fail("c", message="another"), *fail("d", "e")],
    [*fail("a", "b"), *fail("c", boundary="objective"), *fail("d", "e")],
    [*fail("a", "b", "c"), closed(), opened(1), *fail("d", "e")],
]


@pytest.mark.parametrize("events", BROKEN)
def test_three_runs_in_a_row_that_fail_alike_are_enough(events: list[Event]) -> None:
    state = folded(*BEGUN, *events)
    assert "runs in a row failed alike, at the boundary method: the loss is nan" in (
        failing(SPEC, state)
    )
    decision = decide(SPEC, state, Listed(*MANY), 4)
    assert (decision.done, decision.proposals) == (exhausted(SPEC, state), ())
    assert decision.done == failing(SPEC, state)


@pytest.mark.parametrize("events", SOUND)
def test_fewer_or_others_or_with_a_success_between_are_not(events: list[Event]) -> None:
    state = folded(*BEGUN, *events)
    assert failing(SPEC, state) == ""
    assert decide(SPEC, state, Listed(*MANY), 1).proposals


@pytest.mark.parametrize(("stop", "enough"), [({"failures": None}, 10), ({"failures": 2}, 2)])
def test_how_many_are_enough_is_the_users_to_say(stop: dict[str, Any], enough: int) -> None:
    spec = circle_spec(stop={"runs": 9, **stop})
    for count in range(1, 10):
        state = folded(*BEGUN, *fail(*"abcdefghi"[:count]))
        assert bool(failing(spec, state)) == (count >= enough)


def test_of_a_sweep_of_one_run_one_failure_is_enough() -> None:
    spec = circle_spec(stop={"runs": 1})
    state = folded(*BEGUN, *fail("a"))
    assert (
        failing(spec, state) == "the only run failed alike, at the boundary method: the loss is nan"
    )


def test_runs_that_failed_alike_are_made_again_by_the_next_session() -> None:
    ended = [*BEGUN, *finish("f"), *fail("a", "b", "c"), closed(again=["a", "b", "c"])]
    before, after = folded(*ended), folded(*ended, opened(1))
    assert [before.failed, len(before.open_runs()), before.failures.of("a", "error")] == [3, 0, 1]
    assert [after.failed, after.finished, after.failures.of("a", "error")] == [0, 1, 0]
    assert [r.run_id for r in after.waiting_runs()] == ["a", "b", "c"]
    assert [x.attempt for x in decide(SPEC, after, Listed(), 2).relaunches] == [1, 1]
    assert [r.run_id for r in after.history().runs] == ["f"]
    # they count for the budget once, and only for the failures since
    assert len(after.runs) == 4
    late = folded(*ended, opened(1), started("a", 1), failed("a", 1, final=True))
    assert (late.failed, late.failures.of("a", "error"), failing(SPEC, late)) == (1, 1, "")


def test_an_older_ledger_closed_without_a_word_of_runs_to_make_again() -> None:
    state = folded(*BEGUN, *fail("a", "b", "c"), closed(), opened(1))
    assert (state.failed, state.open_runs()) == (3, [])


def test_a_driver_stops_early_and_the_next_one_makes_the_runs_again() -> None:
    store = MemoryStore()
    spec = circle_spec(stop={"runs": 6}, engine={"retries": 1}, proposer={"type": "lattice"})
    reason = driver_over(store, ScriptedBackend(store, crash), spec).run()
    assert reason.endswith("runs in a row failed alike, at the boundary method: the loss is nan")
    failures = told(store, EventKind.FAILED)
    assert len({e.run_id for e in failures}) == 4  # the fourth was under way beside the third
    again = driver_over(store, ScriptedBackend(store), spec)
    assert again.run() == "all 6 runs are launched"
    assert (again.state.finished, again.state.failed) == (6, 0)
    assert len(told(store, EventKind.PROPOSED)) == 6


def test_what_is_still_in_training_may_call_the_end_off() -> None:
    store = MemoryStore()
    spec = circle_spec(stop={"runs": 8}, engine={"retries": 0}, proposer={"type": "lattice"})
    order: list[str] = []

    def answer(launch: Launch) -> list[Report]:
        order.append(launch.run_id)
        return result(launch) if len(order) == 4 else crash(launch)

    driver = driver_over(store, ScriptedBackend(store, answer, workers=4), spec)
    driver.run()
    assert len(order) > 4
    assert driver.state.finished == 1


def test_a_driver_killed_before_it_closed_is_followed_by_one_that_decides_alike() -> None:
    store = MemoryStore()
    spec = circle_spec(stop={"runs": 9}, engine={"retries": 0}, proposer={"type": "lattice"})
    reason = driver_over(store, ScriptedBackend(store, crash), spec).run()
    assert store.events[-1].kind is EventKind.CLOSED
    store.ids.discard(store.events.pop().event_id)
    assert driver_over(store, ScriptedBackend(store), spec).run() == reason
    assert driver_over(store, ScriptedBackend(store), spec).run() == "all 9 runs are launched"


class Moody(CircleOracle):
    """Fails in many words for one reason, or for many reasons."""

    words: Any = staticmethod(lambda n: f"judge {n} at http://10.0.0.{n}/v1 is down")
    calls = 0

    def launch(self, proposal: Proposal, rng: np.random.Generator) -> Any:
        type(self).calls += 1
        raise ValueError(self.words(self.calls))


def test_a_simulation_stops_early_too() -> None:
    store = MemoryStore()
    result = simulate(circle_spec(stop={"runs": 200}), Moody(), ledger=MemoryLedger(store))
    assert result.front.failed < 10
    assert len(result.ending.again) >= 3
    assert "judge" in result.ending.failure.details
    assert result.ending.trouble.startswith("stopped early: ")
    state = SweepState()
    state.apply(store.events)
    assert {r.status for r in state.runs.values()} == {RunStatus.FAILED}


def test_a_simulation_whose_failures_differ_uses_its_budget() -> None:
    class Various(Moody):
        words = staticmethod(lambda n: "abcdefgh"[n % 8] * 3)
        calls = 0

    result = simulate(circle_spec(stop={"runs": 20}, engine={"retries": 0}), Various())
    assert (result.front.failed, result.ending.again) == (20, ())
    assert result.ending.trouble == "no run finished: all 20 runs are launched"
