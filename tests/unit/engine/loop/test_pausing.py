"""Promotion of runs from a rung, by the events of a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from paretoflow.core.merge import Merge
from paretoflow.core.values import LaunchKind, Proposal
from paretoflow.engine.loop.pausing import Rungs
from paretoflow.engine.state.events import paused
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.memory import MemoryStore
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.spec.sweep import SweepSpec
from tests.sim.specs import circle_spec
from tests.unit.engine.scripted import ScriptedBackend
from tests.unit.engine.telling import (
    CALIBRATED,
    base,
    done,
    folded,
    numbered,
    opened,
    proposal,
    proposed,
    scored,
    started,
)

BEGUN = (opened(), CALIBRATED, base((0.1, 9.5)))
BEST, GOOD, POOR, WORSE = (0.9, 1.0), (0.6, 4.0), (0.5, 5.0), (0.3, 7.0)


def spec_of(**rungs: Any) -> SweepSpec:
    """Runs of 40 steps with a checkpoint every 10: rungs at 10 and 30."""
    method = {"type": "dpo", "steps": 40, "checkpoint_every": 10}
    return circle_spec(method=method, stop={"runs": 9, "rungs": {"reduction": 3, **rungs}})


SPEC = spec_of()


def run_to(run_id: str, *scores: Sequence[float], choice: Proposal | None = None) -> list[Event]:
    """Tell of a run with a checkpoint every 10 steps."""
    rows = [scored(run_id, s, step=10 * (i + 1)) for i, s in enumerate(scores)]
    return [proposed(run_id, choice), started(run_id), *rows]


def aside(run_id: str, attempt: int = 0) -> Event:
    return paused(run_id, attempt, 0.0, "outdone", 11)


FINISHED = [*run_to("first", GOOD, GOOD, GOOD, BEST), done("first")]


def test_the_first_at_a_rung_goes_on_and_a_worse_second_does_not() -> None:
    state = folded(*BEGUN, *FINISHED, *run_to("second", POOR))
    assert Rungs(SPEC).outdone(state) == {
        "second": "number 2 of 2 runs at step 10, of which 1 go on; "
        "first-a0-s0040 dominates it by more than noise"
    }


def test_the_better_one_goes_on_whoever_came_first() -> None:
    state = folded(*BEGUN, *FINISHED, *run_to("second", (0.7, 3.0)))
    assert Rungs(SPEC).outdone(state) == {}


def test_what_nothing_is_clearly_ahead_of_goes_on_whatever_its_place() -> None:
    near = (BEST[0] - 0.01, BEST[1])  # a standard error of the difference is 0.014
    others = [e for name in "abc" for e in run_to(name, BEST)]
    assert Rungs(SPEC).outdone(folded(*BEGUN, *others, *run_to("near", near))) == {}
    far = (BEST[0] - 0.02, BEST[1] + 0.2)
    assert list(Rungs(SPEC).outdone(folded(*BEGUN, *others, *run_to("far", far)))) == ["far"]


def test_a_run_is_judged_by_what_was_there_before_it() -> None:
    late = folded(*BEGUN, *run_to("early", POOR), *FINISHED)
    assert Rungs(SPEC).outdone(late) == {}
    early = folded(*BEGUN, *FINISHED, *run_to("early", POOR))
    assert list(Rungs(SPEC).outdone(early)) == ["early"]


def test_between_two_rungs_nobody_is_judged_and_at_the_next_one_again() -> None:
    path = [*BEGUN, *FINISHED, *run_to("second", (0.7, 3.0), WORSE)]
    rungs = Rungs(SPEC)
    assert rungs.outdone(folded(*path)) == {}
    path.append(scored("second", WORSE, step=30))
    assert "number 2 of 2 runs at step 30" in rungs.outdone(folded(*path))["second"]


def test_runs_from_a_parent_compare_among_themselves_and_merges_with_nobody() -> None:
    child = proposal(parent="first-a0-s0040")
    mixed = Merge("linear", ("first-a0-s0010", "first-a0-s0040"), (0.5, 0.5))
    merge = Proposal(LaunchKind.MERGE, child.weights, 1, "Because.", "by hand", merge=mixed)
    state = folded(
        *BEGUN,
        *FINISHED,
        *run_to("child", POOR, choice=child),
        *run_to("other", WORSE, choice=child),
        *run_to("merge", WORSE, choice=merge),
    )
    assert list(Rungs(SPEC).outdone(state)) == ["other"]


def test_a_paused_run_goes_on_once_its_place_has_risen() -> None:
    path = [*BEGUN, *FINISHED, *run_to("second", POOR), aside("second")]
    rungs = Rungs(SPEC)
    assert rungs.risen(folded(*path)) == ()
    for name in ("third", "fourth"):  # two of four go on: the first, and now the second
        assert rungs.risen(folded(*path)) == ()
        path += [*run_to(name, WORSE), aside(name)]
    state = folded(*path)
    assert rungs.risen(state) == rungs.risen(state) == ("second",)


def test_a_paused_run_goes_on_if_a_later_checkpoint_of_it_is_on_the_front() -> None:
    path = [*BEGUN, *FINISHED, *run_to("second", POOR, (0.95, 3.0)), aside("second")]
    assert Rungs(SPEC).risen(folded(*path)) == ("second",)


def test_a_paused_run_goes_on_if_what_was_ahead_of_it_turns_out_to_be_worse() -> None:
    path = [*BEGUN, *run_to("lucky", GOOD), *run_to("second", POOR), aside("second")]
    assert Rungs(SPEC).risen(folded(*path)) == ()
    again = replace(proposal(parent="lucky-a0-s0010"), kind=LaunchKind.REEVALUATE)
    draw = replace(scored("again", (0.0, 10.0)), snapshot_id="lucky-a0-s0010")
    state = folded(*path, proposed("again", again), started("again"), draw, done("again"))
    assert Rungs(SPEC).risen(state) == ("second",)


def test_a_run_that_went_on_is_not_stopped_again_by_the_rung_that_it_left() -> None:
    path = [*BEGUN, *FINISHED, *run_to("second", POOR), aside("second"), started("second", 1)]
    state = folded(*path)
    assert Rungs(SPEC).outdone(state) == {}
    state.apply([numbered([*path, scored("second", WORSE, attempt=1, step=30)])[-1]])
    assert list(Rungs(SPEC).outdone(state)) == ["second"]


def test_another_driver_comes_to_the_same_verdicts() -> None:
    path = [*BEGUN, *FINISHED]
    for number, place in enumerate((0.8, 0.2, 0.5, 0.7, 0.3, 0.6)):
        path += run_to(f"r{number}", (place, 10 - 9 * place))
    going, state, row = Rungs(SPEC), SweepState(), numbered(path)
    for event in row:
        state.apply([event])
        if state.problem is not None:
            assert going.outdone(state) == Rungs(SPEC).outdone(folded(*path[: event.seq + 1]))
    assert going.outdone(state) != {}


def test_without_rungs_or_without_checkpoints_nothing_is_judged() -> None:
    state = folded(*BEGUN, *FINISHED, *run_to("second", POOR))
    for spec in (circle_spec(), circle_spec(stop={"runs": 9, "rungs": {}})):
        assert Rungs(spec).outdone(state) == {}
        assert Rungs(spec).risen(state) == ()


def test_the_first_rung_can_be_set() -> None:
    rungs = Rungs(spec_of(first=15))
    assert rungs.outdone(folded(*BEGUN, *FINISHED, *run_to("second", POOR))) == {}
    there = folded(*BEGUN, *FINISHED, *run_to("second", POOR, POOR))
    assert "2 runs at step 15" in rungs.outdone(there)["second"]


def test_one_in_training_is_asked_once_and_one_that_waits_is_put_aside_at_once() -> None:
    backend = ScriptedBackend(MemoryStore())
    state = folded(*BEGUN, *FINISHED, *run_to("second", POOR))
    rungs = Rungs(SPEC)
    assert rungs.set_aside(state, backend) == rungs.set_aside(state, backend) == []
    assert backend.suspended == [("second", 0)]
    waits = folded(*BEGUN, *FINISHED, *run_to("second", POOR), opened(1))
    (row,) = Rungs(SPEC).set_aside(waits, backend)
    assert (row.kind, row.run_id, row.attempt, row.step) == (EventKind.PAUSED, "second", 0, 10)
    assert backend.suspended == [("second", 0)]
