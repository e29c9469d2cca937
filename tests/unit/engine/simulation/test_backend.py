from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from paretoflow.core.launch import Launch
from paretoflow.core.values import Proposal
from paretoflow.engine.messages import Report
from paretoflow.engine.simulation.backend import FaultModel, SimulatedBackend, SimulatedCluster
from paretoflow.ledger.tables import EventKind
from paretoflow.spec.engine import EngineSpec
from tests.unit.engine.telling import PROBLEM, proposal


class Fixed:
    """Answers every launch alike, and remembers what its generator drew."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.drawn: list[float] = []

    def launch(self, proposal: Proposal, rng: np.random.Generator) -> Any:
        self.drawn.append(float(rng.random()))
        return self.answer


def backend(answer: Any, *, workers: int = 2, **options: Any) -> SimulatedBackend:
    cluster = SimulatedCluster(
        Fixed(answer), PROBLEM, EngineSpec(workers=workers), seed=1, **options
    )
    return SimulatedBackend(cluster)


def launch(run_id: str = "a", attempt: int = 0) -> Launch:
    return Launch(run_id, attempt, proposal())


def _all(sim: SimulatedBackend) -> list[Report]:
    reports: list[Report] = []
    while not any(r.ended for r in reports):
        reports += sim.poll(0.5)
    return reports


def test_time_jumps_from_happening_to_happening() -> None:
    sim = backend([(3.0, [0.5, 5]), (4.0, [0.6, 4])], start_s=100.0)
    sim.launch(launch())
    assert sim.free() == 1
    (first,) = sim.poll(0.5)
    assert (sim.now(), first.ended, sim.free()) == (103.0, False, 1)
    assert [e.kind for e in first.events] == [EventKind.EVALUATED]
    (last,) = sim.poll(0.5)
    assert (sim.now(), last.ended, sim.free()) == (107.0, True, 2)
    assert [e.kind for e in last.events] == [EventKind.EVALUATED, EventKind.FINISHED]
    assert [e.device_s for e in (*first.events, *last.events[:1])] == [3.0, 4.0]
    assert last.events[0].scores == (0.6, 4.0)
    assert sim.poll(0.5) == []
    assert sim.now() == 107.5


def test_what_happens_at_one_time_is_told_together() -> None:
    sim = backend([(2.0, [0.5, 5])])
    sim.launch(launch("a"))
    sim.launch(launch("b"))
    assert [r.run_id for r in sim.poll(0.5)] == ["a", "b"]


def test_standard_errors_may_be_given() -> None:
    sim = backend([(1.0, [0.5, 5], [0.01, 0.2])])
    sim.launch(launch())
    assert _all(sim)[0].events[0].stderr == (0.01, 0.2)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([], "no checkpoint"),
        ([(1.0, [0.5])], r"scores of shape \(1,\), not \(2,\)"),
        ([(1.0, [0.5, 5], [0.1])], "shape"),
        ([(1.0, [0.5, float("nan")])], "non-finite score for words"),
        ([(1.0, [float("inf"), 5])], "non-finite score for coverage"),
        ([(-1.0, [0.5, 5])], "for cost"),
        ([(float("nan"), [0.5, 5])], "for cost"),
        ([(1.0, [0.5, 5]), (1.0, [0.5, float("nan")])], "words"),
        (None, "NoneType"),
        ([7.0], "TypeError"),
    ],
)
def test_a_bad_answer_fails_the_attempt_and_tells_nothing_of_it(answer: Any, words: str) -> None:
    sim = backend(answer)
    sim.launch(launch())
    (report,) = sim.poll(0.5)
    assert report.ended
    assert report.events == ()
    assert report.failure is not None
    assert re.search(words, report.failure.message)
    assert sim.free() == 2


def test_randomness_belongs_to_the_run_and_the_attempt() -> None:
    drawn = []
    for order in ([("a", 0), ("b", 0), ("a", 1)], [("a", 1), ("a", 0), ("b", 0)]):
        oracle = Fixed([(1.0, [0.5, 5])])
        sim = SimulatedBackend(SimulatedCluster(oracle, PROBLEM, EngineSpec(workers=3), seed=1))
        for run_id, attempt in order:
            sim.launch(launch(run_id, attempt))
        drawn.append(dict(zip(order, oracle.drawn, strict=True)))
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0].values())) == 3


def test_a_straggler_takes_longer_and_costs_as_much() -> None:
    sim = backend([(2.0, [0.5, 5])], faults=FaultModel(straggle=1.0, straggle_factor=7.0))
    sim.launch(launch())
    (report,) = sim.poll(0.5)
    assert sim.now() == 14.0
    assert report.events[0].device_s == 14.0


def test_a_crash_keeps_the_checkpoints_before_it() -> None:
    answer = [(1.0, [0.5, 5])] * 4
    told = set()
    for attempt in range(20):
        sim = backend(answer, faults=FaultModel(crash=1.0))
        sim.launch(launch("a", attempt))
        reports = _all(sim)
        assert reports[-1].failure is not None
        assert reports[-1].failure.retryable
        kinds = {e.kind for r in reports for e in r.events}
        assert EventKind.FINISHED not in kinds
        told.add(len(reports) - 1)
    assert told == {0, 1, 2, 3}


def test_prepare_calibrates_once() -> None:
    sim = backend([])
    (event,) = sim.prepare(None)
    assert event.kind is EventKind.CALIBRATED
    assert sim.prepare(PROBLEM) == []


def test_close_forgets_what_has_not_happened() -> None:
    sim = backend([(5.0, [0.5, 5])])
    sim.launch(launch())
    sim.close()
    sim.close()
    assert sim.poll(0.5) == []
