"""Time to open, read and append to the ledger of a long sweep.

Every event is committed alone, by the code that sweeps use, so the ledger has as many Delta
versions, checkpoints and compactions as a real one of that length.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from paretoflow.ledger import open_ledger
from paretoflow.ledger.fenced_table import COMPACT_EVERY
from paretoflow.ledger.tables import Event, EventKind
from tests.benchmarks.results_file import write_table

SIZES = (1_190, 10_190)
"""Commits, each shortly before a compaction: the most small files that there ever are."""
OPENINGS = 9
LAST = 100
"""Appends at the end that are timed."""


def evaluated(index: int, prompts: int = 48) -> Event:
    """Return the row of an evaluation as large as the quickstart's."""
    run_id = f"r{index:05d}-0a1b2c"
    scores = tuple(0.001 * ((index + i) % 997) for i in range(prompts))
    return Event(
        f"evaluated:{run_id}:0:40",
        EventKind.EVALUATED,
        1_700_000_000.0 + index,
        run_id=run_id,
        snapshot_id=f"{run_id}-a0-s0040",
        step=40,
        scores=(0.5, 20.0),
        stderr=(0.02, 1.5),
        prompt_scores=(scores, scores),
        n=prompts,
        weights=(0.5, 0.5),
        path=f"adapters/{run_id}/a0/step-0040",
        digest="ab" * 32,
        wall_s=12.5,
        device_s=12.5,
        tokens=4096,
        payload={"diagnostics": {"kl": 1.5, "length_tokens": 20.0}, "data": "cd" * 32},
    )


def committed(root: Path, size: int) -> list[float]:
    """Commit events one by one; return the seconds of each of the last appends, with fsync."""
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    for index in range(size - LAST):
        ledger.append([evaluated(index)])
    ledger = open_ledger(root, writer=True)
    return [
        seconds(lambda index=index: ledger.append([evaluated(index)]))
        for index in range(size - LAST, size)
    ]


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of some work."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def figures(size: int, openings: int) -> tuple[object, ...]:
    """Return a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        appends = committed(root, size)
        readers = [seconds(lambda: open_ledger(root, writer=False)) for _ in range(openings)]
        writers = [seconds(lambda: open_ledger(root, writer=True)) for _ in range(openings)]
        ledger = open_ledger(root, writer=False)
        events = [seconds(ledger.events) for _ in range(openings)]
    p95 = statistics.quantiles(appends, n=20)[-1]
    return (
        f"{size:,}",
        *(f"{statistics.median(times):.3f} ({max(times):.3f})" for times in (readers, writers)),
        f"{statistics.median(events):.3f}",
        f"{1000 * statistics.median(appends):.0f} ({1000 * p95:.0f})",
    )


def main(quick: bool = False) -> None:
    """Measure and write the table."""
    sizes, openings = ((200,), 3) if quick else (SIZES, OPENINGS)
    write_table(
        "ledger_open",
        "Opening a long ledger",
        "python -m tests.benchmarks.ledger_open",
        (
            "commits",
            "open to read, median (max) s",
            "open as driver, median (max) s",
            "read all events, s",
            "append, median (p95) ms",
        ),
        [figures(size, openings) for size in sizes],
        "Local disk. Opening as a driver takes the sweep over: a commit in each of the two tables, "
        "flushed to the disk, and the ids of all events read. The reach is 0.5 s at 10,000 "
        f"commits. Appends are the last {LAST}, one event each, flushed to the disk; every "
        f"{COMPACT_EVERY} commits one of them compacts the table.",
        quick=quick,
    )


if __name__ == "__main__":
    main("--quick" in sys.argv)
