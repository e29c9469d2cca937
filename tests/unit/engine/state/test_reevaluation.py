from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.launch import PriorEvaluation
from paretoflow.core.values import BASE_RUN_ID, LaunchKind, Proposal
from paretoflow.engine.loop.planner import first_launch, launch_of, stagnant
from paretoflow.engine.state.events import evaluated, evaluation_of
from paretoflow.engine.state.reevaluation import pooled, require_alike
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.ledger.tables import Event
from paretoflow.proposers.asked import AskedMemory
from tests.faults import raises
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import (
    CALIBRATED,
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
)

BEGUN = (opened(), CALIBRATED, base())


def look(parent: str | None) -> Proposal:
    return replace(proposal(), kind=LaunchKind.REEVALUATE, parent=parent)


def seen_again(run_id: str, known: str, scores: tuple[float, float], attempt: int = 0) -> Event:
    """Tell what `scored` tells, of a snapshot of another run."""
    plain = scored(run_id, scores, attempt=attempt, cost=Cost(1.0, 2.0, 3))
    return replace(plain, snapshot_id=known)


def row(prompts: list[list[float]], stderr: tuple[float, ...] = (), **changes: object) -> Event:
    scores = np.array(prompts)
    errors = np.array(stderr or scores.std(axis=1, ddof=1) / np.sqrt(scores.shape[1]))
    found = replace(Evaluation.of_prompts(scores, cost=Cost(1.0), **changes), stderr=errors)
    return evaluated(found.named("a", 0, 1), 0.0)


def rows(*events: Event) -> list[Evaluation]:
    return [evaluation_of(e, 0.0) for e in events]


def test_draws_average_within_prompts_by_hand() -> None:
    first, second = rows(row([[0.0, 2.0], [1.0, 1.0]]), row([[2.0, 2.0], [3.0, 1.0]]))
    assert first.stderr.tolist() == [1.0, 0.0]
    both = pooled(first, second)
    assert both.prompt_scores.tolist() == [[1.0, 2.0], [2.0, 1.0]]
    assert both.scores.tolist() == [1.5, 1.5]
    assert both.stderr.tolist() == [0.5, 0.5]
    assert (both.n, both.draws, both.cost.wall_s) == (2, 2, 2.0)
    third = pooled(both, second)
    np.testing.assert_allclose(third.prompt_scores, [[4 / 3, 2.0], [7 / 3, 1.0]])
    assert third.draws == 3


def test_errors_of_single_scores_add_as_independent_ones() -> None:
    first, second = rows(row([[1.0]], (0.3,)), row([[2.0]], (0.4,)))
    both = pooled(first, second)
    assert both.scores.tolist() == [1.5]
    assert both.stderr == pytest.approx((0.25,))
    # three draws of one error: a third of the root of their squares' sum, whatever the order
    third = pooled(pooled(first, first), first)
    assert third.stderr == pytest.approx((0.3 / np.sqrt(3),))


def test_pairs_of_snapshots_stay_paired() -> None:
    """What makes a prompt easy is in every draw of it, and cancels between two snapshots."""
    rng = np.random.default_rng(0)
    easy = rng.normal(0.0, 10.0, 50)

    def twice(shift: float) -> Evaluation:
        draws = (easy + shift + rng.normal(0.0, 0.1, 50) for _ in range(2))
        return pooled(*rows(*(row([draw.tolist()]) for draw in draws)))

    a, b = twice(0.0), twice(1.0)
    difference = b.prompt_scores - a.prompt_scores
    assert abs(difference.mean() - 1.0) < 0.1
    assert difference.std() / np.sqrt(50) < 0.05 < a.stderr[0]


def test_other_prompts_are_refused() -> None:
    first, second = rows(row([[0.0, 2.0]]), row([[2.0, 2.0, 2.0]]))
    with raises("ledger-inconsistent", "prompts"):
        pooled(first, second)
    with raises("ledger-inconsistent", "prompts"):
        pooled(first, replace(first, data="others"))


def test_what_every_draw_measured_is_averaged() -> None:
    first, second = rows(row([[0.0, 2.0]]), row([[2.0, 2.0]]))
    first = replace(first, diagnostics={"kl": 1.0, "ranking_accuracy": 0.7})
    second = replace(second, diagnostics={"kl": 4.0})
    assert pooled(first, second).diagnostics == {"kl": 2.5, "ranking_accuracy": 0.7}
    third = pooled(pooled(first, second), second)
    assert third.diagnostics["kl"] == pytest.approx(3.0)


LUCKY = (
    *BEGUN,
    proposed("a"), started("a"), scored("a", (0.9, 2)), done("a"),
    proposed("b"), started("b"), scored("b", (0.8, 3)), done("b"),
)  # fmt: skip
AGAIN = (proposed("c", look("a-a0-s0001")), started("c"))


def test_a_second_look_changes_the_row_of_its_snapshot_and_the_front() -> None:
    """By hand: (0.9, 2) hides (0.8, 3) until another draw of (0.5, 6) makes it (0.7, 4)."""
    before = folded(*LUCKY)
    history = before.history()
    assert history.front.tolist() == [1]
    before.apply(
        [e for e in numbered([*LUCKY, *AGAIN, seen_again("c", "a-a0-s0001", (0.5, 6)), done("c")])
         if e.seq > before.seq]
    )  # fmt: skip
    after = before.history()
    assert history.gains.tolist() == [[0.5, -5.0], [0.9, -2.0], [0.8, -3.0]]  # as it was handed out
    np.testing.assert_allclose(after.gains, [[0.5, -5.0], [0.7, -4.0], [0.8, -3.0]])
    assert after.front.tolist() == [2]
    assert after.snapshot_ids == history.snapshot_ids
    assert after.run_index.tolist() == [-1, 0, 1]
    assert [r.run_id for r in after.runs] == ["a", "b", "c"]
    assert before.evaluations[1].draws == 2
    assert before.hypervolume == pytest.approx(0.8 * 7)
    assert before.front_version == 3
    assert before.runs["c"].cost == Cost(1.0, 2.0, 3)
    assert [round(h, 9) for _, _, h in before.curve] == [2.5, 7.2, 7.2, 5.6]


def test_whoever_tells_a_look_twice_is_heard_once() -> None:
    told = seen_again("c", "a-a0-s0001", (0.5, 6))
    late = seen_again("c", "a-a0-s0001", (0.5, 6), attempt=1)
    once = folded(*LUCKY, *AGAIN, told, done("c"))
    retried = [failed("c", final=False), started("c", 1), late, told, done("c", 1)]
    twice = folded(*LUCKY, *AGAIN, *retried)
    assert twice.evaluations[1] == once.evaluations[1]
    assert twice.evaluations[1].draws == 2


def test_a_look_at_what_was_never_evaluated_is_refused() -> None:
    with raises("ledger-inconsistent", "never"):
        folded(*BEGUN, proposed("c", look("x")), started("c"), seen_again("c", "x", (0.5, 6)))


def test_looks_neither_raise_the_hypervolume_nor_count_as_tries() -> None:
    rise = [
        *AGAIN, seen_again("c", "a-a0-s0001", (0.5, 6)), done("c"),
        proposed("d"), started("d"), scored("d", (0.8, 2.5)), done("d"),
    ]  # fmt: skip
    state = folded(*LUCKY, *rise)
    # 7.2 after the first run; the look took 1.6 away, and the last run brought 0.4 back
    np.testing.assert_allclose(state.gained, [2.5, 7.2, 7.2, 7.6])
    assert state.hypervolume == pytest.approx(6.0)
    assert stagnant(state, window=2, gain=0.06)
    assert not stagnant(state, window=2, gain=0.05)


def test_rows_kept_up_to_date_are_rows_made_from_the_start() -> None:
    rng = np.random.default_rng(3)
    events: list[Event] = list(BEGUN)
    names: list[str] = []
    state, memory = SweepState(), AskedMemory()
    for number in range(300):
        run = f"r{number:03d}"
        value = (float(rng.uniform(0, 1)), float(rng.uniform(0, 10)))
        if names and rng.random() < 0.3:
            name = names[rng.integers(len(names))]
            events += [proposed(run, look(name)), started(run), seen_again(run, name, value)]
        else:
            names.append(f"{run}-a0-s0001")
            events += [proposed(run, proposal(value[0])), started(run), scored(run, value)]
        events.append(done(run))
        state.apply([e for e in numbered(events) if e.seq > state.seq])
        history = state.history()
        if number % 20:
            continue
        fresh = folded(*events).history()
        np.testing.assert_array_equal(history.gains, fresh.gains)
        np.testing.assert_array_equal(history.stderr, fresh.stderr)
        np.testing.assert_array_equal(history.front, np.flatnonzero(nondominated(history.gains)))
        np.testing.assert_array_equal(history.front, fresh.front)
        assert state.hypervolume == pytest.approx(
            hypervolume(history.gains, history.ref), rel=1e-12
        )
        kept, read = memory.asked_of(history, ()), AskedMemory().asked_of(history, ())
        assert (len(kept), kept.tried()) == (len(read), read.tried())


def test_looks_at_one_snapshot_are_numbered_also_when_they_are_proposed_together() -> None:
    state = folded(
        *LUCKY, *AGAIN, proposed("d", look("b-a0-s0001")), proposed("e", look("a-a0-s0001")),
        proposed("f", look(None)), failed("c", final=False),
    )  # fmt: skip
    known = {r: first_launch(state, r, state.runs[r].proposal).known for r in "cdef"}
    assert {r: k.number for r, k in known.items() if k} == {"c": 1, "d": 1, "e": 2, "f": 1}
    assert known["f"] is not None
    assert (known["f"].snapshot_id, known["f"].proposal) == (BASE_RUN_ID, None)
    assert known["e"] == PriorEvaluation("a-a0-s0001", "a", 0, 1, 2, "", False, proposal())
    assert launch_of(circle_spec(), state, "c").known == known["c"]
    assert first_launch(state, "a", proposal()).known is None


KNOWN = PriorEvaluation("a-a0-s0001", "a", 0, 1, 1, "prompts", conditioned=False, proposal=None)


def test_another_look_after_an_accepted_change_is_refused() -> None:
    require_alike(replace(KNOWN, inputs="a"), "prompts", "a")
    require_alike(KNOWN, "prompts", "a")  # evaluated by a version that did not note it
    with raises("data", "change"):
        require_alike(replace(KNOWN, inputs="a"), "prompts", "b")


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (replace(KNOWN, conditioned=True), "preferences"),
        (replace(KNOWN, data="others"), "(others)"),
        (replace(KNOWN, data=""), "trainer"),
    ],
)
def test_what_another_look_would_say_nothing_about_is_refused(
    known: PriorEvaluation, words: str
) -> None:
    with raises("data", words):
        require_alike(known, "prompts")
