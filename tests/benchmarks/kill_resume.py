"""A quickstart sweep whose driver is killed with -9 at ten random moments, beside one left alone.

Both are `paretoflow run` on local Ray with the same budget of runs. After each kill the same
command is started again; the last session is left to end. What must hold: as many finished runs as
undisturbed, every finish that the ledger held before a kill still there after it, no run finished
or proposed twice. What it costs: attempts made again, and seconds until training goes on.

The next session starts at once, while processes of the killed driver may still be there. They get
`GRACE_S` seconds to end by themselves; how long they took is in the table.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from paretoflow.core.errors import SweepNotFoundError
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event, EventKind
from tests.benchmarks.arms import markdown
from tests.benchmarks.results_file import write_table

JOB = "jobs/quickstart.yaml"
NAME = "quickstart"
KILLS = 10
RUNS = 12
SMALL = ("data.train=24", "data.eval=12", "data.validation=4", "data.candidates=3")
"""Little to prepare, so that most kills find runs in training."""
EARLIEST_S = 15.0
SPAN_S = 34.0
"""A session is killed at a moment drawn uniformly between these seconds of its life."""
GRACE_S = 150.0
COLUMNS = (
    *("sweep", "kills", "runs", "finished", "lost", "doubled", "repeated", "recovered"),
    "wall s",
)
SESSION_COLUMNS = (
    *("session", "s", "ended", "first launch s", "finished", "open", "lost"),
    *("workers gone after s", "all gone after s", "killed by hand"),
)
SEED = 0
SMOKE = (
    "method.steps=2",
    "method.checkpoint_every=1",
    "data.train=8",
    "data.eval=8",
    "data.validation=4",
    "data.candidates=3",
)


@dataclass(frozen=True)
class Remains:
    """How a killed driver's processes ended.

    Args:
        workers_s: Seconds until no worker was left.
        last_s: Seconds until nothing was left.
        killed: Processes that had to be killed.
    """

    workers_s: float
    last_s: float
    killed: int


@dataclass(frozen=True)
class Session:
    """One start of the driver.

    Args:
        ended_s: Seconds until it was killed or ended.
        killed: Whether it was killed.
        resumed_s: Seconds from its start to its first launch; None if it made none.
        finished: Ids of the runs that the ledger holds as finished once it is gone.
        running: Runs started and not finished by then.
        remains: What its processes did after a kill, once they have ended.
    """

    ended_s: float
    killed: bool
    resumed_s: float | None
    finished: frozenset[str]
    running: int
    remains: Future[Remains] | None = None


def events_of(storage: Path) -> list[Event]:
    """Return what the ledger holds; nothing before there is one."""
    try:
        return open_ledger(storage / NAME, writer=False).events()
    except SweepNotFoundError:
        return []


def finished(events: Sequence[Event]) -> frozenset[str]:
    """Return the ids of the finished runs."""
    return frozenset(e.run_id for e in events if e.kind is EventKind.FINISHED)


def watch(processes: Sequence[psutil.Process]) -> Remains:
    """Wait until a dead driver's processes have ended; kill them when `GRACE_S` is over."""
    begun = time.monotonic()
    workers = {p.pid for p in processes if "RayWorker" in command_of(p)}
    ended: dict[int, float] = {}
    while len(ended) < len(processes) and time.monotonic() - begun < GRACE_S:
        for process in processes:
            if process.pid not in ended and not command_of(process):
                ended[process.pid] = time.monotonic() - begun
        time.sleep(0.1)
    stubborn = [p for p in processes if p.pid not in ended]
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    of_workers = [ended.get(pid, GRACE_S) for pid in workers]
    last_s = GRACE_S if stubborn else max(ended.values(), default=0.0)
    return Remains(max(of_workers, default=0.0), last_s, len(stubborn))


def command_of(process: psutil.Process) -> str:
    """Return a process's command line; empty once it has ended, reaped or not."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def session(
    storage: Path, overrides: Sequence[str], kill_at_s: float | None, watchers: Executor
) -> Session:
    """Run the driver until it ends, or kill it."""
    command = [str(Path(sys.executable).parent / "paretoflow"), "run", JOB]
    command += ["--storage", str(storage), *(part for o in overrides for part in ("--set", o))]
    started, remains = time.time(), None
    with (storage / "log.txt").open("a") as log:
        driver = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            status = driver.wait(kill_at_s)
        except subprocess.TimeoutExpired:
            children = psutil.Process(driver.pid).children(recursive=True)
            driver.kill()
            status = driver.wait()
            ended_s = time.time() - started
            remains = watchers.submit(watch, children)
        else:
            ended_s = time.time() - started
    if status not in (0, -9):
        raise SystemExit((storage / "log.txt").read_text()[-4000:])
    events = events_of(storage)
    launches = [e for e in events if e.kind is EventKind.STARTED]
    resumed_s = min((e.time_s - started for e in launches if e.time_s >= started), default=None)
    done = finished(events)
    running = len({e.run_id for e in launches} - done)
    return Session(ended_s, status != 0, resumed_s, done, running, remains)


def killed_sweep(
    storage: Path, overrides: Sequence[str], kills: int, span_s: float
) -> list[Session]:
    """Run a sweep, killing its first sessions; one that ends before its moment ends the list."""
    moments = random.Random(SEED)
    sessions: list[Session] = []
    with ThreadPoolExecutor(KILLS) as watchers:
        while not sessions or sessions[-1].killed:
            kill_at_s = moments.uniform(EARLIEST_S, span_s) if len(sessions) < kills else None
            sessions.append(session(storage, overrides, kill_at_s, watchers))
    return sessions


def doubled(events: Sequence[Event]) -> int:
    """Count what the ledger holds twice: event ids, and finishes and proposals of a run."""
    once = (EventKind.FINISHED, EventKind.PROPOSED)
    counts = Counter((e.kind, e.run_id) for e in events if e.kind in once)
    ids = Counter(e.event_id for e in events)
    return sum(n - 1 for counter in (counts, ids) for n in counter.values())


def recovered(events: Sequence[Event]) -> int:
    """Count the finishes of attempts that an earlier driver started: results found on the disk."""
    drivers = {(e.run_id, e.attempt): e.epoch for e in events if e.kind is EventKind.STARTED}
    ends = [e for e in events if e.kind is EventKind.FINISHED]
    return sum(drivers[e.run_id, e.attempt] < e.epoch for e in ends)


def row(name: str, sessions: Sequence[Session], events: Sequence[Event]) -> tuple[str, ...]:
    """Return one line of the main table."""
    started = sum(e.kind is EventKind.STARTED for e in events)
    proposed = len({e.run_id for e in events if e.kind is EventKind.PROPOSED})
    earlier: frozenset[str] = frozenset().union(*(s.finished for s in sessions))
    return (
        name,
        str(sum(s.killed for s in sessions)),
        str(proposed),
        str(len(finished(events))),
        str(len(earlier - finished(events))),
        str(doubled(events)),
        str(started - proposed),
        str(recovered(events)),
        f"{sum(s.ended_s for s in sessions):.0f}",
    )


def line(number: int, one: Session, following: Session | None) -> tuple[str, ...]:
    """Return one line of the table of sessions; `following` tells what the kill has lost."""
    lost = "" if following is None else str(len(one.finished - following.finished))
    left = one.remains.result() if one.remains else None
    remains = (
        (f"{left.workers_s:.1f}", f"{left.last_s:.0f}", str(left.killed)) if left else ("",) * 3
    )
    return (
        str(number),
        f"{one.ended_s:.1f}",
        "kill -9" if one.killed else "by itself",
        "none" if one.resumed_s is None else f"{one.resumed_s:.1f}",
        str(len(one.finished)),
        str(one.running),
        lost,
        *remains,
    )


def main(quick: bool = False) -> None:
    """Run both sweeps and write the table."""
    runs, kills, span_s = (8, 2, 30.0) if quick else (RUNS, KILLS, SPAN_S)
    overrides = (f"stop.runs={runs}", *(SMOKE if quick else SMALL))
    with tempfile.TemporaryDirectory() as scratch:
        calm, rough = Path(scratch) / "calm", Path(scratch) / "rough"
        calm.mkdir()
        rough.mkdir()
        undisturbed = killed_sweep(calm, overrides, 0, span_s)
        disturbed = killed_sweep(rough, overrides, kills, span_s)
        rows = [
            row("left alone", undisturbed, events_of(calm)),
            row("killed", disturbed, events_of(rough)),
        ]
    after = [*disturbed[1:], None]
    lines = [line(i, one, nxt) for i, (one, nxt) in enumerate(zip(disturbed, after, strict=True))]
    resumes = sorted(s.resumed_s for s in disturbed[1:] if s.resumed_s is not None)
    notes = [
        "Lost: finishes that the ledger held once and does not hold at the end. Doubled: finishes "
        "or proposals of a run, or event ids, beyond the first. Repeated: attempts beyond the "
        "first of each run. Recovered: finishes of attempts that the killed driver had started and "
        f"never heard of. Kills come uniformly between {EARLIEST_S:.0f} and {span_s:.0f} s of a "
        f"session. The quickstart job with {', '.join(SMALL)}: little to prepare, so that most "
        "kills find runs in training.",
        markdown(SESSION_COLUMNS, lines),
        f"From start to first launch: {undisturbed[0].resumed_s:.1f} s for the new sweep, "
        f"when it goes on {', '.join(f'{s:.1f}' for s in resumes)} s.",
    ]
    write_table(
        "kill_resume",
        "A sweep killed at random moments",
        "python -m tests.benchmarks.kill_resume",
        COLUMNS,
        rows,
        "\n\n".join(notes),
        quick=quick,
    )


if __name__ == "__main__":
    main("--quick" in sys.argv)
