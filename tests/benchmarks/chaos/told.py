"""Effects of the blows on a sweep, read from its ledger."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from paretoflow.ledger.tables import Event, EventKind

PROGRESS = (EventKind.CALIBRATED, EventKind.STARTED, EventKind.ADOPTED, EventKind.EVALUATED)
"""Kinds of rows that show that work continues."""


@dataclass(frozen=True)
class Blow:
    """One blow.

    Args:
        at_s: Seconds from the command's start.
        events: Rows that the ledger held.
        on_s: Seconds from the blow, or the end of a full disk, to the next row that shows that
            work continues; includes the start of the next command if the one that was hit has
            ended. None if there was nothing left to do.
        status: Exit status of the command that was hit; None if it survived.
    """

    at_s: float
    events: int
    on_s: float | None
    status: int | None


@dataclass(frozen=True)
class Told:
    """A whole sweep at its end.

    Args:
        lost: Number of missing rows of the ledger, or of missing results that a command reported.
        doubled: Number of rows, ends of runs or attempts that are in the ledger twice.
        failed: Runs that failed for good.
        unended: Runs that neither finished nor failed.
        attempts: Beyond the first of each run.
        charged: Failures that cost one of the run's `retries`.
        left: Processes left behind by commands that had ended.
        hung: Commands that had to be ended.
        status: Of the last command.
        faults: What else is wrong, in words.
    """

    blows: tuple[Blow, ...]
    runs: int
    finished: int
    lost: int
    doubled: int
    failed: int
    unended: int
    attempts: int
    charged: int
    left: int
    hung: int
    status: int | None
    wall_s: float
    faults: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return asdict(self)


def missing(before: Sequence[Event], after: Sequence[Event]) -> int:
    """Return how many rows of an earlier look are gone, changed or in another place."""
    same = sum(a == b for a, b in zip(before, after, strict=False))
    return len(before) - same


def untold(texts: Iterable[str], after: Sequence[Event]) -> int:
    """Return how many runs a command reported as finished that are not finished in the ledger."""
    finished = {e.run_id for e in after if e.kind is EventKind.FINISHED}
    lines = [line for text in texts for line in text.splitlines() if " finished in " in line]
    return len({line.split()[1] for line in lines} - finished)


def doubled(events: Sequence[Event]) -> int:
    """Return how many rows, ends of runs, launches and attempts are there more than once."""
    ids = Counter(e.event_id for e in events)
    ends = (EventKind.PROPOSED, EventKind.FINISHED)
    once = Counter((e.kind, e.run_id) for e in events if e.kind in ends)
    rows = Counter((e.snapshot_id, e.attempt) for e in events if e.kind is EventKind.EVALUATED)
    started = Counter((e.run_id, e.attempt) for e in events if e.kind is EventKind.STARTED)
    return sum(n - 1 for counted in (ids, once, rows, started) for n in counted.values())


def failed_for_good(events: Sequence[Event]) -> list[Event]:
    """Return the failures that ended their runs."""
    return [e for e in events if e.kind is EventKind.FAILED and e.payload.get("final")]


def charged(events: Sequence[Event]) -> int:
    """Return how many failures were held to be the run's own: each costs one of its `retries`."""
    failures = [e for e in events if e.kind is EventKind.FAILED]
    return sum(e.payload.get("cause") == "error" for e in failures)


def goes_on(events: Sequence[Event], since_s: float, seq: int, *, ended: bool) -> float | None:
    """Return the time of the first row that shows that work continues; None if there is none.

    Args:
        since_s: Earlier rows do not count: they may have been sent before.
        seq: How many rows there were.
        ended: Whether the command that was hit has ended: then rows count from the next one's start
            on, since workers may outlive it for a moment.
    """
    opened = [e.time_s for e in events[seq:] if e.kind is EventKind.OPENED and e.time_s > since_s]
    begin_s = (min(opened) if opened else math.inf) if ended else since_s
    later = [e.time_s for e in events[seq:] if e.kind in PROGRESS and e.time_s > begin_s]
    return min(later) - since_s if later else None
