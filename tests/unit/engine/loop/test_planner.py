from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from paretoflow.core.cost import Cost
from paretoflow.core.ids import run_id_of
from paretoflow.core.launch import AdapterRef
from paretoflow.core.merge import Merge
from paretoflow.core.values import History, LaunchKind, Proposal
from paretoflow.engine.loop.planner import (
    accumulation_factor,
    decide,
    exhausted,
    first_launch,
    launch_of,
    spent,
    stagnant,
)
from paretoflow.engine.state.events import seen, with_money
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.tables import Event
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import (
    CALIBRATED,
    base,
    done,
    failed,
    folded,
    opened,
    proposal,
    proposed,
    scored,
    started,
)

BEGUN = (opened(), CALIBRATED, base())


class Listed:
    """Proposes what it was given, however much is asked for, and remembers what it was asked."""

    def __init__(self, *proposals: Proposal) -> None:
        self.proposals = list(proposals)
        self.asked: list[tuple[int, int]] = []

    def propose(
        self, history: History, pending: Sequence[Proposal], count: int, seed: int
    ) -> list[Proposal]:
        self.asked.append((len(pending), count))
        return self.proposals


MANY = [proposal(i / 10) for i in range(10)]


def test_waiting_runs_come_before_new_ones() -> None:
    state = folded(
        *BEGUN, proposed("a"), started("a"), failed("a", final=False), proposed("b"), proposed("c")
    )
    proposer = Listed(*MANY)
    decision = decide(circle_spec(), state, proposer, free=4)
    assert [(x.run_id, x.attempt) for x in decision.relaunches] == [("a", 1), ("b", 0), ("c", 0)]
    assert [p for _, p in decision.proposals] == MANY[:1]
    assert proposer.asked == [(3, 1)]
    few = decide(circle_spec(), state, proposer, free=2)
    assert [x.run_id for x in few.relaunches] == ["a", "b"]
    assert few.proposals == ()


def test_new_runs_are_named_by_their_place_and_content() -> None:
    state = folded(*BEGUN, proposed("a"), started("a"))
    decision = decide(circle_spec(), state, Listed(*MANY), free=2)
    names = [run_id for run_id, _ in decision.proposals]
    assert names == [run_id_of(1, MANY[0].to_dict()), run_id_of(2, MANY[1].to_dict())]


def test_a_full_house_asks_nobody() -> None:
    proposer = Listed(*MANY)
    decision = decide(circle_spec(), folded(*BEGUN), proposer, free=0)
    assert (decision.relaunches, decision.proposals, decision.done) == ((), (), "")
    assert proposer.asked == []


def test_the_last_runs_of_the_budget_are_not_exceeded() -> None:
    state = folded(*BEGUN, proposed("a"), started("a"))
    decision = decide(circle_spec(stop={"runs": 3}), state, Listed(*MANY), free=4)
    assert len(decision.proposals) == 2


def test_a_proposer_that_waits_is_not_done_while_something_is_pending() -> None:
    waiting = folded(*BEGUN, proposed("a"), started("a"))
    assert decide(circle_spec(), waiting, Listed(), free=2).done == ""
    over = folded(*BEGUN, proposed("a"), started("a"), done("a"))
    assert "nothing more" in decide(circle_spec(), over, Listed(), free=2).done


def test_a_sweep_over_its_budget_still_repeats_what_waits() -> None:
    state = folded(*BEGUN, proposed("a"), started("a"), opened(1))
    decision = decide(circle_spec(stop={"runs": 1}), state, Listed(*MANY), free=2)
    assert [x.attempt for x in decision.relaunches] == [1]
    assert decision.done == "all 1 runs are launched"


@pytest.mark.parametrize(
    ("method", "ranks", "factors"),
    [
        ({"type": "dpo", "batch_size": 12}, 1, [1, 2, 4, 12, None]),
        ({"type": "dpo", "batch_size": 12}, 4, [1, 3, None]),
        ({"type": "dpo", "batch_size": 12}, 12, [1, None]),
        ({"type": "grpo", "batch_size": 8, "gradient_accumulation": 4}, 1, [1, 2, None]),
    ],
)
def test_forward_batches_shrink_until_they_hold_one_example(
    method: dict[str, Any], ranks: int, factors: list[int | None]
) -> None:
    spec = circle_spec(method=method, engine={"resources": {"ranks": ranks}})
    assert [accumulation_factor(spec, times) for times in range(len(factors))] == factors


def test_an_attempt_number_is_never_used_twice() -> None:
    events = [*BEGUN, proposed("a")]
    numbers = []
    for attempt in range(3):
        numbers.append(launch_of(circle_spec(), folded(*events), "a").attempt)
        events += [started("a", attempt), opened(attempt + 1)]
    assert numbers == [0, 1, 2]


def test_the_parents_folder_and_digest_are_those_of_its_own_evaluation() -> None:
    state = folded(
        *BEGUN,
        proposed("a"),
        started("a"),
        scored("a", (0.6, 5), step=1, path="adapters/a/a0/step-0001", digest="1" * 64),
        scored("a", (0.7, 5), step=2, path="adapters/a/a0/step-0002", digest="2" * 64),
    )
    for parent, expected in {
        "a-a0-s0001": AdapterRef("adapters/a/a0/step-0001", "1" * 64),
        "a-a0-s0002": AdapterRef("adapters/a/a0/step-0002", "2" * 64),
        "base": None,
        None: None,
    }.items():
        launch = first_launch(state, "b", proposal(parent=parent))
        assert launch.parent == expected


def test_a_merge_gets_its_parents_folders_in_their_order_at_every_attempt() -> None:
    merge = Merge("cat", ("b-a0-s0001", "a-a0-s0001"), (0.3, 0.7))
    mixed = replace(proposal(), kind=LaunchKind.MERGE, merge=merge)
    state = folded(
        *BEGUN,
        *(proposed(name) for name in "ab"),
        *(
            scored(name, (0.6, 5), path=f"adapters/{name}/a0/step-0001", digest=name * 64)
            for name in "ab"
        ),
        proposed("c", mixed),
        started("c"),
    )
    adapters = tuple(AdapterRef(f"adapters/{n}/a0/step-0001", n * 64) for n in "ba")
    assert first_launch(state, "c", mixed).merged == adapters
    again = launch_of(circle_spec(), state, "c")
    assert (again.merged, again.attempt) == (adapters, 1)
    assert first_launch(state, "d", proposal()).merged == ()


def test_a_launch_knows_the_front_of_its_moment_and_is_the_same_attempt_without_it() -> None:
    events = [*BEGUN, proposed("a"), proposed("b")]
    early = launch_of(circle_spec(), folded(*events), "b")
    assert early.front is not None
    assert early.front.tolist() == [[0.5, -5.0]]  # the base; words count downwards
    later = launch_of(circle_spec(), folded(*events, scored("a", (0.7, 9))), "b")
    assert later.front is not None
    assert sorted(later.front.tolist()) == [[0.5, -5.0], [0.7, -9.0]]
    assert early == later


def test_a_constrained_launch_knows_what_its_thresholds_were_made_from() -> None:
    parent = scored("a", (0.6, 7), step=1, path="adapters/a/a0/step-0001", digest="1" * 64)
    state = folded(*BEGUN, proposed("a"), started("a"), parent)
    asked = replace(
        proposal(parent="a-a0-s0001"),
        kind=LaunchKind.CONSTRAINED,
        target=0,
        thresholds=(0.6, -8.0),
    )
    gains = first_launch(state, "b", asked).parent_gains
    assert gains is not None
    assert gains.tolist() == [0.6, -7.0]  # words count downwards
    assert first_launch(state, "b", proposal(parent="a-a0-s0001")).parent_gains is None


def _after(runs: int, hours: float, device_s: float) -> SweepState:
    """A sweep of so many finished runs, open for so long, having spent so much."""
    events = [opened(), CALIBRATED, base(cost=Cost(device_s, device_s))]
    for index in range(runs):
        events += [proposed(f"r{index}"), started(f"r{index}"), done(f"r{index}")]
    events.append(seen(scored("base", (0.5, 5), step=1), hours * 3600))
    return folded(*events)


@pytest.mark.parametrize(("judged", "reason"), [(0.59, ""), (0.6, "a cost of 1 is reached")])
def test_judges_spend_of_the_same_budget(judged: float, reason: str) -> None:
    # at a price of 3 for an hour, 480 seconds cost 0.4
    spec = circle_spec(stop={"runs": 9, "cost": 1}, engine={"price": 3})
    state = _after(2, 0, 480)
    state.apply(with_money([seen(scored("base", (0.5, 5), step=2), 9.0)], judged))
    assert spent(spec, state) == reason


@pytest.mark.parametrize(
    ("stop", "runs", "hours", "device_s", "reason"),
    [
        ({"runs": 4}, 3, 0, 0, ""),
        ({"runs": 4}, 4, 0, 0, "all 4 runs are launched"),
        ({"hours": 2}, 1, 1.99, 0, ""),
        ({"hours": 2}, 1, 2, 0, "2 hours are used up"),
        # at a price of 3 for an hour, 1,200 seconds cost 1
        ({"cost": 1}, 1, 0, 1199, ""),
        ({"cost": 1}, 1, 0, 1200, "a cost of 1 is reached"),
    ],
)
def test_budgets_by_hand(
    stop: dict[str, float], runs: int, hours: float, device_s: float, reason: str
) -> None:
    spec = circle_spec(stop=stop, engine={"price": 3.0})
    assert exhausted(spec, _after(runs, hours, device_s)) == reason


def test_stagnation_by_hand() -> None:
    """Over the last two runs the hypervolume rose from 100 to 101: by 0.99 % of 101."""
    state = SweepState()
    state.gained = [50.0, 100.0, 100.5, 101.0]
    assert stagnant(state, window=2, gain=0.01)
    assert not stagnant(state, window=2, gain=0.0099)
    assert not stagnant(state, window=3, gain=0.4)
    assert not stagnant(state, window=4, gain=0.4)  # no four runs have ended yet
    spec = circle_spec(stop={"stagnation": {"runs": 2, "gain": 0.01}})
    assert exhausted(spec, state) == ("the last 2 runs raised the hypervolume by less than 1.0%")


def test_no_front_at_all_is_not_stagnation() -> None:
    state = SweepState()
    state.gained = [0.0] * 5
    assert not stagnant(state, window=2, gain=0.5)


def test_the_same_state_gives_the_same_decision() -> None:
    state = folded(*BEGUN, proposed("a"), started("a"))
    assert decide(circle_spec(), state, Listed(*MANY), 3) == decide(
        circle_spec(), state, Listed(*MANY), 3
    )


def _grown(points: Sequence[tuple[float, float]], *more: Event) -> SweepState:
    """A sweep whose runs ended one after another with these scores, coverage and words."""
    events: list[Event] = [opened(), CALIBRATED, base((0.0, 10.0))]
    for index, scores in enumerate(points):
        run = f"r{index:02d}"
        choice = proposal((index + 1) / 100)
        events += [proposed(run, choice), started(run), scored(run, scores), done(run)]
    return folded(*events, *more)


GROWING = [(i / 10, float(i)) for i in (9, 1, 5, 7, 3, 8)]
FLAT = [*[(i / 10, float(i)) for i in (9, 1, 5)], *[(0.0, 10.0)] * 12]


def test_a_sweep_whose_next_run_adds_too_little_is_over() -> None:
    spec = circle_spec(stop={"runs": 40, "gain_below": 0.005})
    assert exhausted(spec, _grown(GROWING)) == ""
    reason = exhausted(spec, _grown(FLAT))
    assert reason.startswith("a further run should add 0.")
    assert reason.endswith("of the hypervolume, less than 0.50%")
    assert exhausted(circle_spec(stop={"runs": 40}), _grown(FLAT)) == ""


def test_no_gain_is_judged_before_the_opening_stage_has_ended() -> None:
    spec = circle_spec(stop={"runs": 40, "gain_below": 0.9})
    assert exhausted(spec, SweepState()) == ""  # not even calibrated
    assert exhausted(spec, folded(*BEGUN)) == ""
    assert exhausted(spec, _grown(GROWING[:5])) == ""
    assert exhausted(spec, _grown(GROWING)) != ""


def test_runs_under_way_may_call_off_the_end() -> None:
    """While they train nothing is launched; one that fills a gap lets the sweep go on."""
    spec = circle_spec(stop={"runs": 40, "gain_below": 0.005})
    late = [proposed("late"), started("late")]
    held = decide(spec, _grown(FLAT, *late), Listed(*MANY), free=3)
    assert "a further run should add" in held.done
    assert held.proposals == ()
    told = [*late, scored("late", (0.9, 4.0)), done("late")]
    again = decide(spec, _grown(FLAT, *told), Listed(*MANY), free=3)
    assert again.done == ""
    assert len(again.proposals) == 3
