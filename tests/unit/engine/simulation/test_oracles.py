"""The full kind of oracle: names, states that training continues from, scores by prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from paretoflow.core.ids import snapshot_id_of
from paretoflow.core.launch import Launch, PriorEvaluation
from paretoflow.core.merge import Merge
from paretoflow.core.values import BASE_RUN_ID, LaunchKind, Problem, Proposal, WeightVector
from paretoflow.engine.oracles import OracleCheckpoint, Snapshot, TrainingTask
from paretoflow.engine.session.simulate import simulate
from paretoflow.engine.simulation.oracle_answers import Answers, checked
from paretoflow.ledger.memory import MemoryLedger
from paretoflow.ledger.tables import EventKind
from tests.faults import raises
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import PROBLEM, proposal

PROMPTS = np.array([[0.0, 1.0, 0.5], [4.0, 8.0, 6.0]])


class Counting:
    """Its state counts the steps from the base; scores are by prompt, and rise with the steps."""

    def __init__(self) -> None:
        self.tasks: list[TrainingTask] = []
        self.again: list[Snapshot] = []

    def base(self, problem: Problem, rng: np.random.Generator) -> OracleCheckpoint:
        return OracleCheckpoint(1.0, prompt_scores=PROMPTS, state=0)

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        self.tasks.append(task)
        start = (task.start or 0) + sum(task.mixed)
        return [
            OracleCheckpoint(1.0, prompt_scores=PROMPTS + 0.01 * n, state=n)
            for n in (start + 1, start + 2)
        ]

    def evaluate(self, snapshot: Snapshot, rng: np.random.Generator) -> OracleCheckpoint:
        self.again.append(snapshot)
        return OracleCheckpoint(0.5, prompt_scores=PROMPTS + 0.01 * snapshot.state)


def answers(oracle: Any) -> Answers:
    return Answers(oracle, PROBLEM, 7)


def known(snapshot: str, run: str, step: int) -> PriorEvaluation:
    return PriorEvaluation(snapshot, run, 0, step, 1, "", False, None)


def test_a_run_goes_on_from_the_state_of_its_parent() -> None:
    asked = answers(Counting())
    first = asked.of(Launch("a", 0, proposal()))
    assert [p.state for p in first] == [1, 2]
    further = asked.of(Launch("b", 0, proposal(parent=snapshot_id_of("a", 0, 2))))
    assert [p.state for p in further] == [3, 4]
    assert [p.state for p in asked.of(Launch("c", 0, proposal(parent=BASE_RUN_ID)))] == [1, 2]


def test_an_oracle_learns_the_names_that_later_launches_say() -> None:
    oracle = Counting()
    answers(oracle).of(Launch("r0003-9f2c1a", 1, proposal()))
    (task,) = oracle.tasks
    assert (task.run_id, task.attempt, task.start) == ("r0003-9f2c1a", 1, None)
    assert task.name(2) == "r0003-9f2c1a-a1-s0002"
    assert task.problem == PROBLEM


def test_a_mixture_gets_the_states_that_it_mixes() -> None:
    asked = answers(Counting())
    asked.of(Launch("a", 0, proposal()))
    parents = (snapshot_id_of("a", 0, 2), snapshot_id_of("a", 0, 1))
    merge = Merge(parents=parents, coefficients=(0.5, 0.5), how="cat")
    mix = Proposal(LaunchKind.MERGE, WeightVector.of([1, 1]), 1, "Because.", "soups", merge=merge)
    assert asked.of(Launch("b", 0, mix))[0].state == 2 + 1 + 1


def test_a_snapshot_and_the_base_are_evaluated_again_by_name_and_state() -> None:
    oracle = Counting()
    asked = answers(oracle)
    asked.of_base()
    asked.of(Launch("a", 0, proposal()))
    name = snapshot_id_of("a", 0, 2)
    (point,) = asked.of(Launch("b", 0, proposal(), known=known(name, "a", 2)))
    asked.of(Launch("c", 0, proposal(), known=known("base", BASE_RUN_ID, 0)))
    assert oracle.again == [Snapshot(name, 2), Snapshot("base", 0)]
    assert point.evaluation.prompt_scores == pytest.approx(PROMPTS + 0.02)


def test_means_and_errors_come_from_the_prompts() -> None:
    point = checked(OracleCheckpoint(1.0, prompt_scores=PROMPTS), PROBLEM, "a").evaluation
    assert point.scores == pytest.approx([0.5, 6.0])
    # the spread of 0, 1, .5 is .5; of 4, 8, 6 it is 2
    assert point.stderr == pytest.approx(np.array([0.5, 2.0]) / np.sqrt(3))
    given = checked(OracleCheckpoint(1.0, [0.1, 1.0], [0.2, 0.3], PROMPTS), PROBLEM, "a").evaluation
    assert given.scores.tolist() == [0.1, 1.0]
    assert given.stderr.tolist() == [0.2, 0.3]
    single = checked(OracleCheckpoint(1.0, prompt_scores=PROMPTS[:, :1]), PROBLEM, "a")
    assert single.evaluation.stderr.sum() == 0


@pytest.mark.parametrize(
    ("told", "code", "value"),
    [
        (OracleCheckpoint(1.0), "objective-shape", "without"),
        (OracleCheckpoint(1.0, prompt_scores=PROMPTS.T), "objective-shape", "(3, 2), not (2, n"),
        (OracleCheckpoint(1.0, prompt_scores=PROMPTS[:, :0]), "objective-shape", "(2, 0)"),
        (
            OracleCheckpoint(1.0, prompt_scores=PROMPTS * np.array([[1], [np.nan]])),
            "objective-not-finite",
            "words",
        ),
        (OracleCheckpoint(np.inf, prompt_scores=PROMPTS), "objective-not-finite", "cost"),
    ],
)
def test_what_is_not_whole_is_refused(told: OracleCheckpoint, code: str, value: str) -> None:
    with raises(code, value):
        checked(told, PROBLEM, "a")


def test_all_checkpoints_are_scored_on_as_many_prompts() -> None:
    class Wavering(Counting):
        def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
            return [OracleCheckpoint(1.0, prompt_scores=PROMPTS[:, :2])]

    asked = answers(Wavering())
    asked.of_base()
    with raises("objective-shape", "2 prompts", "3"):
        asked.of(Launch("a", 0, proposal()))


def test_what_cannot_be_answered_says_why() -> None:
    class Plain:
        def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
            return []

    again = Launch("b", 0, proposal(), known=known("x", "a", 2))
    with raises("plugin", "evaluate"):
        answers(Plain()).of(again)
    with raises("plugin", "state"):
        answers(Counting()).of(again)
    with raises("plugin", "state"):
        answers(Counting()).of(Launch("b", 0, proposal(parent="y")))
    with raises("objective", "no checkpoint"):
        answers(Plain()).of(Launch("b", 0, proposal()))


def test_a_whole_sweep_has_a_base_and_trains_policies_on() -> None:
    oracle, ledger = Counting(), MemoryLedger()
    spec = circle_spec(stop={"runs": 12}, proposer={"type": "pg_predict"})
    simulate(spec, oracle, ledger=ledger)
    starts = [task.start for task in oracle.tasks]
    assert any(start and start > 2 for start in starts)  # a continuation of a continuation
    rows = [e for e in ledger.events() if e.kind is EventKind.EVALUATED]
    assert rows[0].run_id == BASE_RUN_ID
    assert {row.n for row in rows} == {3}
    named = {task.name(step) for task in oracle.tasks for step in (1, 2)}
    assert {row.snapshot_id for row in rows} == named | {BASE_RUN_ID}
