from __future__ import annotations

from dataclasses import replace

from paretoflow.core.ids import rng_of
from paretoflow.core.status import RunStatus
from paretoflow.core.values import RunRecord
from paretoflow.engine.state.runs import EndedRuns
from tests.unit.engine.telling import proposal


def _run(ordinal: int) -> RunRecord:
    return RunRecord(f"r{ordinal:04d}", proposal(), RunStatus.FINISHED)


def test_runs_stand_in_the_order_in_which_they_were_proposed() -> None:
    ended = EndedRuns()
    for ordinal in (4, 1, 3):
        ended.put(ordinal, _run(ordinal))
    assert [r.run_id for r in ended.records] == ["r0001", "r0003", "r0004"]
    assert ended.places(6).tolist() == [-2, 0, -2, 1, 2, -2]


def test_a_record_is_replaced_where_it_stands() -> None:
    ended = EndedRuns()
    for ordinal in (0, 2, 2, 0):
        ended.put(ordinal, replace(_run(ordinal), message=f"now {ordinal}"))
    assert [r.message for r in ended.records] == ["now 0", "now 2"]


def test_a_run_that_goes_on_is_taken_out_and_may_end_again() -> None:
    ended = EndedRuns()
    for ordinal in (0, 2, 3):
        ended.put(ordinal, _run(ordinal))
    ended.take(2)
    assert [r.run_id for r in ended.records] == ["r0000", "r0003"]
    assert ended.places(4).tolist() == [0, -2, -2, 1]
    ended.put(2, _run(2))
    assert ended.places(4).tolist() == [0, -2, 1, 2]


def test_none_ended() -> None:
    assert EndedRuns().records == ()
    assert EndedRuns().places(2).tolist() == [-2, -2]
    assert EndedRuns().places(0).shape == (0,)


def test_places_are_those_of_a_count_from_the_start() -> None:
    rng = rng_of("ended")
    ended, known = EndedRuns(), set[int]()
    for ordinal in rng.permutation(200).tolist():
        ended.put(ordinal, _run(ordinal))
        known.add(ordinal)
        places = ended.places(200)
        wanted = {o: place for place, o in enumerate(sorted(known))}
        assert {o: int(p) for o, p in enumerate(places) if p >= 0} == wanted
