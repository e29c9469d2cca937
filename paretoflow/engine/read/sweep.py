"""Read a sweep from its folder into the views of commands, reports and exports. Never writes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paretoflow import __version__
from paretoflow.core.errors import (
    DamagedError,
    LedgerError,
    SnapshotNotFoundError,
    SweepNotFoundError,
)
from paretoflow.core.views import FrontView, SweepView
from paretoflow.engine.read.confirmations import confirmation_of
from paretoflow.engine.read.notes import notes_of
from paretoflow.engine.read.stored_spec import read_spec, whole_spec
from paretoflow.engine.read.worth import front_interval, front_point, front_worth
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.front.confirmed import confirmed_front
from paretoflow.front.orient import gains_of
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import FrontRecord
from paretoflow.storage import Folder, Root, as_folder

_SAME_VOLUME = 1e-9
"""Relative tolerance of hypervolumes: another version may sum in another order."""


@dataclass(frozen=True)
class OpenedSweep:
    """A sweep as read from its folder.

    Args:
        spec: The resolved spec as plain JSON values.
        fronts: Every accepted front, oldest first.
    """

    root: Folder
    spec: dict[str, Any]
    state: SweepState
    fronts: tuple[FrontRecord, ...]


def open_sweep_folder(root: Root, snapshot: int | None = None) -> OpenedSweep:
    """Read a sweep as it is now, or as it was when front snapshot `snapshot` was taken.

    Snapshots count from 0; negative numbers count from the end, so -1 is the last recorded one. The
    current sweep may hold later results, which have not led to a snapshot yet.

    Raises:
        SweepNotFoundError: If the folder holds no sweep.
        SnapshotNotFoundError: If there is no such snapshot.
    """
    folder = as_folder(root)
    spec = read_spec(folder)
    ledger = open_ledger(folder, writer=False)
    spec = whole_spec(folder, spec)
    fronts = tuple(ledger.fronts())
    events = ledger.events()
    require_fronts(folder, fronts, events[-1].seq if events else -1)
    if snapshot is not None:
        number = snapshot if snapshot >= 0 else len(fronts) + snapshot
        if not 0 <= number < len(fronts):
            last = f"0 to {len(fronts) - 1}" if fronts else "none yet"
            raise SnapshotNotFoundError(
                f"no front snapshot {snapshot}",
                folder.uri,
                f"there are: {last}; -1 is the last one",
            )
        fronts = fronts[: number + 1]
        events = [e for e in events if e.seq <= fronts[-1].ledger_seq]
    state = SweepState()
    state.apply(events)
    if snapshot is not None and not is_recorded(state, fronts[-1]):
        raise DamagedError(
            f"front snapshot {fronts[-1].number} is not what its events give: some are lost",
            f"{folder}/ledger/events",
            "restore the folder from a copy; the front as it is now can still be read",
            code="damaged-gone",
        )
    return OpenedSweep(folder, spec, state, fronts)


def require_fronts(folder: Folder, fronts: Sequence[FrontRecord], last: int) -> None:
    """Refuse fronts with a gap, and events that end before a front that was computed from them.

    Args:
        folder: Folder of the sweep.
        fronts: All recorded fronts, read before the events.
        last: Number of the last event.

    Raises:
        DamagedError: If a front or an event is missing; nothing else detects a truncated ledger.
    """
    hint = (
        f"restore the folder from a copy; else `paretoflow resume {folder}` goes on from there, "
        "with what fragments hold"
    )
    if [f.number for f in fronts] != list(range(len(fronts))):
        raise DamagedError(
            "front snapshots are missing", f"{folder}/ledger/fronts", hint, code="damaged-gone"
        )
    if fronts and fronts[-1].ledger_seq > last:
        raise DamagedError(
            f"the last events are missing: the last front was computed from number "
            f"{fronts[-1].ledger_seq}, but they end at {last}",
            f"{folder}/ledger/events",
            hint,
            code="damaged-gone",
        )


def read_sweep(root: Root, snapshot: int | None = None) -> SweepView:
    """Return everything a report or an export shows.

    Raises:
        SweepNotFoundError: If the folder holds no sweep, or a sweep without evaluations.
        SnapshotNotFoundError: If there is no such snapshot.
    """
    opened = open_sweep_folder(root, snapshot)
    if not opened.state.evaluations:
        raise SweepNotFoundError(
            "the sweep has no evaluation yet, so no front",
            opened.root.uri,
            "let `paretoflow run` go on, then ask again",
        )
    number = opened.fronts[-1].number if snapshot is not None else None
    front = front_view(opened.state, opened.spec["name"], opened.fronts, number)
    known = confirmation_of(opened.root, front)
    return SweepView(
        spec=opened.spec,
        front=front,
        runs=tuple(opened.state.runs.values()),
        evaluations=tuple(opened.state.evaluations),
        curve=tuple(opened.state.curve),
        root=opened.root.uri,
        data_facts=opened.state.data_facts,
        changes=tuple(opened.state.changes),
        confirmation=None if known is None else confirmed_front(front, known),
        judged=opened.state.judged,
    )


def is_recorded(state: SweepState, record: FrontRecord) -> bool:
    """Check whether a state has the front that was recorded."""
    same = set(record.snapshot_ids) == set(front_ids(state))
    return same and math.isclose(record.hypervolume, state.hypervolume, rel_tol=_SAME_VOLUME)


def front_view(
    state: SweepState, name: str, fronts: Sequence[FrontRecord], number: int | None = None
) -> FrontView:
    """Return the front of a state, best first in the first objective.

    Args:
        state: State of the sweep.
        name: Name of the sweep.
        fronts: Fronts recorded so far, oldest first.
        number: Number of the front; None finds out whether it is the last recorded one, or newer.
    """
    last = fronts[-1] if fronts else None
    if number is None and last is not None and is_recorded(state, last):
        number = last.number
    problem = state.problem
    if problem is None:
        raise LedgerError("the sweep has no calibration yet", name)
    worth = front_worth(state)
    points = [front_point(state, number, worth) for number in range(state.front_size)]
    points.sort(key=lambda p: -float(gains_of(p.evaluation.scores, problem)[0]))
    return FrontView(
        sweep=name,
        snapshot=number,
        problem=problem,
        hypervolume=state.hypervolume,
        hypervolume_ci=(state.hypervolume,) * 2 if worth is None else worth.interval,
        hypervolume_corrected=None if worth is None else worth.corrected,
        points=tuple(points),
        finished=state.finished,
        failed=state.failed,
        pending=len(state.open_runs()),
        paused=len(state.paused),
        after=last.number if last is not None and number is None else None,
        notes=notes_of(state),
    )


def front_ids(state: SweepState) -> tuple[str, ...]:
    """Return the names of the checkpoints on the front, in the order in which they entered it."""
    return tuple(state.evaluations[int(i)].snapshot_id for i in state.front_indices)


def front_record(state: SweepState, number: int, spec_digest: str, time_s: float) -> FrontRecord:
    """Return the ledger's row for the current front."""
    assert state.problem is not None
    low, high = front_interval(state)
    return FrontRecord(
        number=number,
        time_s=time_s,
        ledger_seq=state.seq,
        runs_finished=state.finished,
        hypervolume=state.hypervolume,
        hypervolume_low=low,
        hypervolume_high=high,
        ref_scores=tuple(float(v) for v in state.problem.ref_scores),
        snapshot_ids=front_ids(state),
        spec_digest=spec_digest,
        code_version=__version__,
    )
