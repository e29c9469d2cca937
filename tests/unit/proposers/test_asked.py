from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.ids import rng_of, run_id_of
from paretoflow.core.status import RunStatus
from paretoflow.core.values import History, LaunchKind, Proposal, RunRecord
from paretoflow.proposers import asked as asked_module
from paretoflow.proposers.asked import Asked, AskedMemory
from tests.histories import history_of, problem_of, weighted


def _launches(count: int) -> list[Proposal]:
    rng = rng_of("asked", count)
    launches = []
    for i in range(count):
        weights = rng.dirichlet(np.ones(2)) if i % 4 else np.eye(2)[i // 4 % 2]
        launch = weighted(weights, seed=i)
        if i % 3:
            thresholds = tuple(rng.random(2).tolist())
            target = int(rng.integers(2))
            kind = LaunchKind.CONSTRAINED
            launch = replace(launch, kind=kind, target=target, thresholds=thresholds)
        launches.append(launch)
    return launches


def _seen_by(asked: Asked, launches: Sequence[Proposal]) -> tuple[object, ...]:
    tried = [asked.has_tried(launch.weights.values) for launch in launches]
    questions = [asked.questions(target, most) for target in range(2) for most in (1, 5, 1000)]
    alone = [asked.alone(objective) for objective in range(2)]
    return len(asked), asked.tried(), tried, questions, list(asked.constrained()), alone


def _history(runs: Sequence[RunRecord]) -> History:
    return replace(history_of(problem_of(2), (), [(-1, (0.5, 0.5))]), runs=tuple(runs))


def _record(index: int, launch: Proposal) -> RunRecord:
    return RunRecord(run_id_of(index, launch.to_dict()), launch, RunStatus.FINISHED)


def test_by_hand() -> None:
    first, second, third, fourth = _launches(4)  # weighted, constrained, constrained, weighted
    asked = Asked([third], before=Asked([first, second]))
    asked.extend([fourth])
    assert len(asked) == 4
    assert asked.tried() == {first.weights.values, fourth.weights.values}
    assert not asked.has_tried(second.weights.values)
    assert list(asked.constrained()) == [second, third]
    both = [x.thresholds for x in (second, third)]
    told = asked.questions(0, 9) + asked.questions(1, 9)
    assert sorted(told) == sorted(both)
    assert (asked.alone(0), asked.alone(1)) == ([0], [])
    asked.extend([weighted([0, 1])])
    assert asked.alone(1) == [4]


@pytest.mark.few(3)
@pytest.mark.parametrize("seed", range(6))
def test_a_memory_changes_no_answer(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep whose runs end out of order, some very late, and are now and then charged again."""
    monkeypatch.setattr(asked_module, "SHORTEST_BLOCK", 8)
    rng = rng_of("memory", seed)
    launches = _launches(160)
    memory, ended, pending = AskedMemory(), {}, {}
    for index, launch in enumerate(launches):
        pending[index] = launch
        while len(pending) > 6:
            oldest, *others = pending
            which = oldest if rng.random() < 0.1 else int(rng.choice(others))
            ended[which] = _record(which, pending.pop(which))
        if ended and rng.random() < 0.1:
            which = int(rng.choice(list(ended)))
            ended[which] = replace(ended[which], message=f"charged again at {index}")
        history = _history([ended[i] for i in sorted(ended)])
        known = memory.asked_of(history, list(pending.values()))
        plain = Asked([*(r.proposal for r in history.runs), *pending.values()])
        assert _seen_by(known, launches) == _seen_by(plain, launches)
    assert len(memory._block) > 80, "the memory was never used"


def test_a_memory_is_not_fooled_by_another_history() -> None:
    first, second = _launches(2000), _launches(1999)
    memory = AskedMemory()
    for launches in (first, second, first[:3]):
        history = _history([_record(i, x) for i, x in enumerate(launches)])
        assert len(memory.asked_of(history, [])) == len(launches)
        asked = memory.asked_of(history, ())
        assert asked.tried() == Asked(launches).tried()


def test_what_was_handed_out_does_not_see_what_is_added_to_another() -> None:
    launches = _launches(9)
    block = Asked(launches[:3])
    one, other = Asked(launches[3:5], block), Asked(launches[3:5], block)
    one.extend(launches[6:9])
    assert (len(one), len(other)) == (8, 5)
    assert other.tried() == {x.weights.values for x in (launches[0], launches[3])}
