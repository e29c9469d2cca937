"""What must hold of a sweep, whatever befell its drivers, its worker groups and its storage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from paretoflow.core.values import Problem
from paretoflow.engine.loop.driver_rows import NO_RESULT
from paretoflow.engine.state.events import SEEN
from paretoflow.engine.state.failures import AGAIN
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.ledger.tables import Event, EventKind, FrontRecord


def of_kind(events: Iterable[Event], kind: EventKind) -> list[Event]:
    return [e for e in events if e.kind is kind]


def check_order(events: Sequence[Event]) -> None:
    """No gap, no id twice, no row of a fenced driver after the first of a newer one."""
    assert [e.seq for e in events] == list(range(len(events))), "seq has gaps"
    ids = [e.event_id for e in events]
    assert len(ids) == len(set(ids)), "an event id is there twice"
    epochs = [e.epoch for e in events]
    assert epochs == sorted(epochs), "a fenced driver's row landed after a newer one's"


def check_runs(events: Sequence[Event], budget: int) -> SweepState:
    """Every run of the budget ended once, and no attempt was started twice or after the end."""
    state = SweepState()
    state.apply(events)
    assert len(state.runs) == budget, f"{len(state.runs)} runs, not {budget}"
    ended = (state.finished, state.failed, len(state.paused))
    assert sum(ended) == budget, ended
    assert not state.open_runs()
    started = [(e.run_id, e.attempt) for e in of_kind(events, EventKind.STARTED)]
    assert len(started) == len(set(started)), "an attempt was started twice"
    ends = ends_of(events)
    over = [*(e.run_id for e in ends), *state.paused]
    assert sorted(over) == sorted(state.runs), "a run ended twice, or never"
    end_of = {e.run_id: e.seq for e in ends}
    begun = of_kind(events, EventKind.STARTED)
    late = [e for e in begun if e.seq > end_of.get(e.run_id, e.seq)]
    assert not late, f"started after its end: {late}"
    check_one_attempt_at_a_time(events)
    return state


def ends_of(events: Sequence[Event]) -> list[Event]:
    """Return the events that ended runs, less those of runs that a later session makes again."""
    ends: list[Event] = []
    again: frozenset[str] = frozenset()
    for event in events:
        if event.kind is EventKind.OPENED:
            ends = [e for e in ends if e.run_id not in again or e.kind is EventKind.FINISHED]
            again = frozenset()
        elif event.kind is EventKind.CLOSED:
            again = frozenset(event.payload.get(AGAIN, ()))
        elif event.kind is EventKind.FINISHED or event.payload.get("final"):
            ends.append(event)
    return ends


def check_one_attempt_at_a_time(events: Sequence[Event]) -> None:
    """As the ledger tells it, an attempt starts when the one before is over or was left behind."""
    running: dict[str, int] = {}
    for event in events:
        match event.kind:
            case EventKind.OPENED:
                running.clear()
            case EventKind.STARTED | EventKind.ADOPTED:
                assert event.run_id not in running, f"{event.event_id} is one attempt too many"
                running[event.run_id] = event.attempt
            case EventKind.FAILED:
                attempt = running.pop(event.run_id, None)
                assert attempt == event.attempt, f"{event.event_id}, but attempt {attempt} runs"
            case EventKind.PAUSED if running.get(event.run_id) != event.attempt:
                pass  # of an attempt that was given up meanwhile
            case EventKind.FINISHED | EventKind.STOPPED | EventKind.PAUSED:
                running.pop(event.run_id, None)


def check_nothing_lost(
    events: Sequence[Event],
    acknowledged: Iterable[Event],
    fragments: Iterable[tuple[Event, float]],
    failures_told_s: Mapping[tuple[str, int], float],
) -> None:
    """Check that acknowledged rows are in the ledger, and results that groups wrote of open runs.

    Args:
        events: Rows of the ledger.
        acknowledged: Rows that the ledger has confirmed.
        fragments: Rows that worker groups wrote, and their times.
        failures_told_s: When a driver heard first that a (run, attempt) had failed: a result that
            comes after the last attempt was given up is kept, but the run stays failed.
    """
    there = {e.event_id: e for e in events}
    for event in acknowledged:
        assert there.get(event.event_id) == event, f"acknowledged, but lost: {event.event_id}"
    given_up = [e for e in ends_of(events) if e.kind is EventKind.FAILED]
    unknown = [e for e in given_up if (e.run_id, e.attempt) not in failures_told_s]
    assert not unknown, f"failed, but nobody was told why: {unknown}"
    given_up_s = {e.run_id: failures_told_s[e.run_id, e.attempt] for e in given_up}
    finished = {e.run_id for e in of_kind(events, EventKind.FINISHED)}
    for row, written_s in fragments:
        if row.kind is EventKind.EVALUATED:
            kept = there.get(row.event_id)
            assert kept is not None, f"measured, but lost: {row.event_id}"
            plain = {key: value for key, value in kept.payload.items() if key != SEEN}
            told = replace(kept, seq=-1, epoch=-1, payload=plain)  # the driver's time is on it
            assert told == row, f"changed: {row.event_id}"
        elif row.kind is EventKind.FINISHED and row.run_id not in finished:
            assert given_up_s[row.run_id] <= written_s, f"lost: {row.event_id}"


SOON_S = 5.0
"""How long it may take until a worker hears that it was given up."""


def check_what_was_given_up(
    events: Sequence[Event], trained: Iterable[tuple[float, str, int, float]]
) -> None:
    """No worker goes on for long with an attempt that the ledger has given up.

    Args:
        events: Rows of the ledger.
        trained: When a worker trained which attempt, and until when nobody could reach it.
    """
    over_s: dict[tuple[str, int], float] = {}
    for event in events:
        if event.kind is EventKind.STARTED:
            gone = [(event.run_id, attempt) for attempt in range(event.attempt)]
        elif event.kind in (EventKind.FAILED, EventKind.PAUSED):
            gone = [(event.run_id, event.attempt)]
        else:
            continue
        for each in gone:
            over_s[each] = min(over_s.get(each, np.inf), event.time_s)
    for time_s, run_id, attempt, cut_until_s in trained:
        until_s = max(over_s.get((run_id, attempt), np.inf), cut_until_s) + SOON_S
        assert time_s <= until_s, f"{run_id} attempt {attempt} is trained at {time_s} s for nothing"


def check_told_failures(
    events: Sequence[Event], ends: Iterable[tuple[float, str, int, float | None]]
) -> None:
    """A failure that a worker told is recorded, unless nobody could ask it, or the user stopped.

    Args:
        events: Rows of the ledger.
        ends: When which attempt failed on a worker, and when that worker was out of reach for good.
    """
    failed = {(e.run_id, e.attempt): e.message for e in of_kind(events, EventKind.FAILED)}
    unknown = [attempt for attempt, message in failed.items() if message == NO_RESULT.message]
    assert not unknown, f"why they failed was forgotten: {unknown}"
    started, stopped = of_kind(events, EventKind.STARTED), of_kind(events, EventKind.STOPPED)
    began_s = {(e.run_id, e.attempt): e.time_s for e in started}
    for time_s, run_id, attempt, gone_s in ends:
        later = [e.time_s for e in started if e.run_id == run_id and e.attempt > attempt]
        if (run_id, attempt) in failed or not later:
            continue
        again_s = min(later)
        asked = gone_s is None or gone_s > again_s + SOON_S
        put_down = any(
            e.run_id == run_id and began_s[run_id, attempt] <= e.time_s <= again_s for e in stopped
        )
        assert put_down or not asked, f"{run_id} attempt {attempt} failed at {time_s} s: forgotten"


def check_told_alike(events: Sequence[Event], told: Iterable[tuple[str, int, str]]) -> None:
    """Where workers stay and answer, each failure is recorded as the first rank told it.

    Args:
        events: Rows of the ledger.
        told: Run, attempt and message of each failure.
    """
    why = {(run_id, attempt): message for run_id, attempt, message in told}
    failed = of_kind(events, EventKind.FAILED)
    other = [e for e in failed if why.get((e.run_id, e.attempt)) != e.message]
    assert not other, f"recorded as {other[0].message!r}, told as {why}"


def check_costs(events: Sequence[Event], state: SweepState) -> None:
    """No second of an attempt is charged twice; the sweep costs what its runs cost."""
    total = sum(r.cost.wall_s for r in state.runs.values())
    np.testing.assert_allclose(state.cost.wall_s, total, atol=1e-6)
    began = {(e.run_id, e.attempt): e.time_s for e in of_kind(events, EventKind.STARTED)}
    lived: dict[str, float] = defaultdict(float)
    for attempt, start_s in began.items():
        times = [
            e.time_s
            for e in events
            if (e.run_id, e.attempt) == attempt and e.kind is not EventKind.STOPPED
        ]
        lived[attempt[0]] += max(times) - start_s
    for run_id, run in state.runs.items():
        assert run.cost.wall_s <= lived[run_id] + 1e-6, (
            f"{run_id} cost {run.cost.wall_s} in {lived[run_id]} s"
        )


def told_scores(rows: Iterable[Event]) -> dict[str, np.ndarray]:
    """Return the mean scores of each snapshot over its draws; an evaluation counts once a run."""
    draws: dict[str, dict[str, tuple[float, ...]]] = {}
    for row in rows:
        draws.setdefault(row.snapshot_id, {}).setdefault(row.run_id, row.scores)
    return {name: np.mean(list(scores.values()), axis=0) for name, scores in draws.items()}


def check_fronts(
    events: Sequence[Event], fronts: Sequence[FrontRecord], problem: Problem, state: SweepState
) -> None:
    """Every recorded front is the one that follows from the rows it knew; the last one from all."""
    rows = of_kind(events, EventKind.EVALUATED)
    assert [f.number for f in fronts] == list(range(len(fronts))), "front numbers have gaps"
    for front in fronts:
        known = told_scores(e for e in rows if e.seq <= front.ledger_seq)
        gains = gains_of(np.array(list(known.values())), problem)
        kept = nondominated(gains)
        names = [name for name, k in zip(known, kept, strict=True) if k]
        assert sorted(names) == sorted(front.snapshot_ids), f"front {front.number} is another"
        volume = hypervolume(gains[kept], ref_gains(problem))
        np.testing.assert_allclose(front.hypervolume, volume, rtol=1e-9)
    if rows:
        last = [state.evaluations[int(i)].snapshot_id for i in state.front_indices]
        assert sorted(last) == sorted(fronts[-1].snapshot_ids), "the last front is not recorded"
        np.testing.assert_allclose(fronts[-1].hypervolume, state.hypervolume, rtol=1e-9)
