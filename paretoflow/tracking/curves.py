"""Follows the training curves of a sweep's runs, for its trackers.

The workers write the curves into the sweep's folder; a thread of the driver reads what is new.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from paretoflow.core.curves import KEYS
from paretoflow.core.status import RunStatus
from paretoflow.core.values import RunRecord
from paretoflow.ledger.curves import attempt_of, chunk_names, read_chunk
from paretoflow.storage import Folder
from paretoflow.tracking import Point

LOOK_S = 10.0
"""Seconds between two looks at the curves."""

Runs = Mapping[str, RunRecord]
_OVER = (RunStatus.FINISHED, RunStatus.FAILED)


@dataclass(frozen=True)
class CurveNews:
    """New steps of one attempt at a run.

    Args:
        run: Record of the run.
        attempt: Number of the attempt.
        over: Whether no further steps will come.
    """

    run: RunRecord
    attempt: int
    points: tuple[Point, ...]
    over: bool

    @property
    def name(self) -> str:
        """Return the name of the tracked run: a later attempt trains the same steps again."""
        return self.run.run_id + (f"-a{self.attempt}" if self.attempt else "")

    @property
    def facts(self) -> dict[str, str]:
        """Return facts for searching."""
        proposal = self.run.proposal
        weights = ", ".join(f"{w:.4g}" for w in proposal.weights.values)
        return {"kind": proposal.kind.value, "weights": weights, "run seed": str(proposal.seed)}


class CurveReader:
    """Reads the new steps of runs.

    Args:
        folder: Folder of the sweep.
        over: Runs that ended before this session: an earlier one reported them.
        tell: Called with the news.
    """

    def __init__(self, folder: Folder, over: Runs, tell: Callable[[CurveNews], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._over = {run_id for run_id, run in over.items() if run.status in _OVER}
        self._at: dict[tuple[str, int], tuple[int, int]] = {}
        """Number of the last file and last step that were read, by attempt."""
        self._ended: set[tuple[str, int]] = set()

    def look(self, runs: Runs) -> None:
        """Read what is new of runs that were not over at the last look.

        Raises:
            DamagedError: If a file is damaged.
            StorageError: If storage refuses access.
        """
        for run in runs.values():
            if run.run_id in self._over or run.status is RunStatus.PENDING:
                continue
            over = run.status in _OVER
            self._read(run, over=over)
            if over:
                self._over.add(run.run_id)

    def _read(self, run: RunRecord, *, over: bool) -> None:
        fresh: dict[int, list[Point]] = {n: [] for r, n in self._at if r == run.run_id}
        for name in chunk_names(self._folder, run.run_id):
            attempt, number = attempt_of(name)[1], int(name.rpartition("/")[2].split(".")[0])
            file, step = self._at.get((run.run_id, attempt), (0, 0))
            if number < file:
                continue
            points = [p for p in self._points(name) if p.step > step]
            fresh.setdefault(attempt, []).extend(points)
            last = points[-1].step if points else step
            self._at[run.run_id, attempt] = number, last
        for attempt, points in fresh.items():
            ended = over or attempt < run.attempt
            if points or (ended and (run.run_id, attempt) not in self._ended):
                self._tell(CurveNews(run, attempt, tuple(points), ended))
            if ended:
                self._ended.add((run.run_id, attempt))

    def _points(self, name: str) -> list[Point]:
        return [
            Point(
                row["step"],
                row["time_s"],
                {k: v for k, v in row.items() if k not in KEYS and v is not None},
            )
            for row in read_chunk(self._folder, name).to_pylist()
        ]


class CurveFollower(threading.Thread):
    """Thread that looks at the curves now and then.

    Args:
        guard: Runs a look; returns the reason of a failure in one line, or None.

    Attributes:
        trouble: Why the last look failed; None if it did not. The next look may succeed.
    """

    def __init__(
        self, reader: CurveReader, guard: Callable[[Callable[[], None]], str | None]
    ) -> None:
        super().__init__(name="training-curves", daemon=True)
        self.trouble: str | None = None
        self._reader = reader
        self._guard = guard
        self._queue: queue.Queue[Runs | None] = queue.Queue()

    def offer(self, runs: Runs) -> None:
        """Look at the runs, unless a look is due already."""
        if self._queue.empty():
            self._queue.put(runs)

    def finish(self, runs: Runs, wait_s: float) -> None:
        """Look a last time; wait for it, for at most `wait_s` seconds."""
        self._queue.put(runs)
        self._queue.put(None)
        self.join(wait_s)
        if self.is_alive():
            self.trouble = f"the last look took longer than {wait_s:g} s"

    def run(self) -> None:
        """Look at the runs of the queue until the end."""
        while (runs := self._queue.get()) is not None:
            self.trouble = self._guard(partial(self._reader.look, runs))
