"""A sweep submitted to a Ray head, its driver killed with -9 at a random moment, then resumed.

There is one head, with token authentication. First the sweep is submitted and runs undisturbed.
Then, repeatedly: `paretoflow submit` of a new sweep of the same YAML in another storage; `kill -9`
of its driver at a moment drawn uniformly from the length of the undisturbed sweep; `paretoflow
resume FOLDER --address … --follow`. The benchmark fails unless each time

* every row in the ledger at the kill is there at the end, unchanged and in its place;
* the launches up to the kill are those of the undisturbed sweep, proposal by proposal;
* every run that was finished at the kill stays finished, every run finishes, and none finishes
  twice.

With one worker group the launches depend on the results alone, so they can be compared. With
several, the order in which runs end depends on the machine: two undisturbed sweeps differ as well,
and only the first and the third condition are checked. Whether the launches after the kill and the
front are the same is not checked (a run that continued from a checkpoint may differ in the last
digits), but reported.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paretoflow.core.errors import SweepNotFoundError
from paretoflow.engine.read.sweep import open_sweep_folder
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event, EventKind
from tests.benchmarks.results_file import write_table
from tests.integration.ray_head import RayHead

JOB = "jobs/quickstart.yaml"
NAME = "quickstart"
SMALL = (
    *("method.steps=4", "method.checkpoint_every=2", "stop.runs=8"),
    *("data.train=24", "data.eval=12", "data.validation=4", "data.candidates=3"),
)
"""Little to do, so that one time takes well under a minute."""
PATIENCE_S = 600.0
COLUMNS = (
    *("kill", "at s", "ledger at the kill", "back after s", "adopted", "recovered"),
    *("attempts again", "finished", "lost", "twice"),
    *("launches up to the kill", "launches in all", "hypervolume"),
)


@dataclass(frozen=True)
class Told:
    """A sweep as its ledger tells it at the end.

    Args:
        wall_s: Seconds from the submission to the end.
        proposals: Every launch, in order.
        hypervolume: Of the front.
    """

    wall_s: float
    events: tuple[Event, ...]
    proposals: tuple[object, ...]
    hypervolume: float


def events_of(root: Path) -> tuple[Event, ...]:
    """Return what the ledger holds; nothing before there is one."""
    try:
        return tuple(open_ledger(root, writer=False).events())
    except SweepNotFoundError:
        return ()


def runs_of(events: Sequence[Event], kind: EventKind) -> list[str]:
    """Return the runs of the events of a kind, in order."""
    return [e.run_id for e in events if e.kind is kind]


def proposals_of(events: Sequence[Event]) -> tuple[object, ...]:
    """Return every launch, in order: its run and all that was proposed."""
    return tuple((e.run_id, e.payload["proposal"]) for e in events if e.kind is EventKind.PROPOSED)


class Laptop:
    """A machine that submits to a head and reads the storage.

    Args:
        head: The cluster.
        storage: Where the sweeps of all times live, each below a folder of its own.
        overrides: Put over the job's values.
    """

    def __init__(self, head: RayHead, storage: Path, overrides: Sequence[str]) -> None:
        self.head = head
        self.storage = storage
        self._sets = [word for o in overrides for word in ("--set", o)]

    def call(self, *words: str) -> str:
        """Run a command of the command line; return what it prints."""
        command = [sys.executable, "-m", "paretoflow.cli.main", *words]
        command += ["--address", self.head.address]
        ended = subprocess.run(
            command,
            env=os.environ | self.head.access,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        if ended.returncode != 0:
            raise SystemExit(f"{words}:\n{ended.stdout[-3000:]}{ended.stderr[-3000:]}")
        return ended.stdout

    def submit(self, number: int, *more: str) -> Path:
        """Submit a new sweep; return its folder."""
        storage = self.storage / f"{number:03d}"
        self.call("submit", JOB, "--storage", str(storage), *self._sets, *more)
        return storage / NAME

    def left_alone(self) -> Told:
        """Run the sweep undisturbed."""
        started = time.monotonic()
        return self.told(self.submit(0, "--follow"), time.monotonic() - started)

    def told(self, root: Path, wall_s: float) -> Told:
        """Read a sweep that has ended."""
        events = events_of(root)
        volume = open_sweep_folder(root).state.hypervolume
        return Told(wall_s, events, proposals_of(events), volume)

    def kill_driver(self, root: Path) -> bool:
        """Kill the driver of a sweep with -9, as soon as there is one; wait until it is gone.

        Returns:
            False if the sweep had ended before.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not (drivers := self.head.drivers(str(root))):
            if any(e.kind is EventKind.CLOSED for e in events_of(root)):
                return False
            if time.monotonic() > deadline:
                raise SystemExit(f"no driver of {root} ever came up")
            time.sleep(0.05)
        for driver in drivers:
            driver.kill()
        while self._job_lives(root):  # Ray learns of it a moment later
            time.sleep(0.2)
        return True

    def _job_lives(self, root: Path) -> bool:
        from paretoflow.engine.cluster.dashboard import Dashboard, Token
        from paretoflow.engine.cluster.submit import Jobs

        dashboard = Dashboard(self.head.address, Token(self.head.token, "the benchmark"))
        return Jobs(dashboard, NAME, str(root)).live() is not None


def one_time(laptop: Laptop, number: int, at_s: float, calm: Told, *, alone: bool) -> list[str]:
    """Submit, kill and resume once; return a row of the table, none if the sweep ended too early.

    Raises:
        SystemExit: If a promise was broken.
    """
    started = time.monotonic()
    root = laptop.submit(number)
    time.sleep(max(0.0, at_s - (time.monotonic() - started)))
    if not laptop.kill_driver(root):
        return []
    killed_s = time.monotonic() - started
    before = events_of(root)
    laptop.call("resume", str(root), "--follow")
    after = laptop.told(root, time.monotonic() - started)
    faults = broken(before, after, calm, alone=alone)
    if faults:
        raise SystemExit(f"time {number}, killed at {killed_s:.1f} s: {'; '.join(faults)}")
    return [str(number), f"{killed_s:.1f}", *row(before, after, calm)]


def broken(before: Sequence[Event], after: Told, calm: Told, *, alone: bool) -> list[str]:
    """Return the promises that a resumed sweep has broken.

    Args:
        before: The ledger at the kill.
        after: The sweep at its end.
        calm: The undisturbed one.
        alone: Whether there is one worker group only.
    """
    finished = runs_of(after.events, EventKind.FINISHED)
    proposed = runs_of(after.events, EventKind.PROPOSED)
    faults = []
    if after.events[: len(before)] != tuple(before):
        faults.append("rows that the ledger held have changed")
    launches = proposals_of(before)
    if alone and launches != calm.proposals[: len(launches)]:
        faults.append("other launches up to the kill")
    if len(set(finished)) != len(finished) or len(set(proposed)) != len(proposed):
        faults.append("a run is there twice")
    if not set(runs_of(before, EventKind.FINISHED)) <= set(finished):
        faults.append("a finished run is lost")
    if sorted(finished) != sorted(proposed) or len(proposed) != len(calm.proposals):
        words = [e.message for e in after.events if e.kind is EventKind.FAILED]
        faults.append(f"{len(finished)} runs of {len(calm.proposals)} finished; failures: {words}")
    return faults


def row(before: Sequence[Event], after: Told, calm: Told) -> list[str]:
    """Return the table row with the cost of a kill."""
    events = after.events
    drivers = {(e.run_id, e.attempt): e.epoch for e in events if e.kind is EventKind.STARTED}
    ends = [e for e in events if e.kind is EventKind.FINISHED]
    epoch = max(e.epoch for e in events)
    opened_s = next(e.time_s for e in events if e.kind is EventKind.OPENED and e.epoch == epoch)
    at_work = (EventKind.STARTED, EventKind.ADOPTED)
    back = next((e.time_s for e in events if e.epoch == epoch and e.kind in at_work), None)
    adopted = sum(e.kind is EventKind.ADOPTED for e in events)
    recovered = sum(drivers[e.run_id, e.attempt] < e.epoch for e in ends) - adopted
    finished = runs_of(before, EventKind.FINISHED)
    held = proposals_of(before)
    started = len(runs_of(events, EventKind.STARTED))
    alike = sum(a == b for a, b in zip(held, calm.proposals, strict=False))
    return [
        f"{len(finished)} finished, {len(held) - len(finished)} open" if before else "not there",
        "nothing to do" if back is None else f"{back - opened_s:.1f}",
        str(adopted),
        str(max(0, recovered)),
        str(started - len(drivers) + sum(attempt > 0 for _, attempt in drivers)),
        str(len(ends)),
        str(len(set(finished) - {e.run_id for e in ends})),
        str(sum(n - 1 for n in Counter(e.run_id for e in ends).values())),
        f"{alike} of {len(held)} the same",
        "the same" if after.proposals == calm.proposals else "others",
        f"{after.hypervolume:.6g}",
    ]


def main(
    quick: bool = False, *, times: int = 20, seed: int = 0, small: bool = True, workers: int = 1
) -> None:
    """Kill and resume time and again, and write the table.

    Args:
        quick: Two times, and no file.
        times: How often.
        seed: Of the moments.
        small: Whether the job has little to do; otherwise it is the quickstart as it is.
        workers: Worker groups.
    """
    times = 2 if quick else times
    overrides = (*(SMALL if small else ()), f"engine.worker_groups={workers}")
    moments = random.Random(seed)
    with (
        tempfile.TemporaryDirectory() as scratch,
        RayHead(max(2, workers), {"OMP_NUM_THREADS": "1"}) as head,
    ):
        laptop = Laptop(head, Path(scratch), overrides)
        calm = laptop.left_alone()
        rows: list[list[str]] = []
        for number in itertools.count(1):
            at_s = moments.uniform(0.0, calm.wall_s)
            cells = one_time(laptop, number, at_s, calm, alone=workers == 1)
            print(" | ".join(cells) or f"{number}: ended before {at_s:.1f} s, not counted")
            rows += [cells] if cells else []
            if len(rows) == times:
                break
    words = f"--times {times} --seed {seed}" + ("" if small else " --whole")
    write_table(
        "submit_kill",
        "A submitted sweep whose driver is killed at a random moment",
        f"python -m tests.benchmarks.submit_kill {words} --workers {workers}",
        COLUMNS,
        rows,
        _notes(calm, overrides),
        quick=quick,
    )


def _notes(calm: Told, overrides: Sequence[str]) -> str:
    return (
        f"Undisturbed: {len(calm.proposals)} launches, {calm.wall_s:.0f} s with the start of the "
        f"job, hypervolume {calm.hypervolume:.6g}. The quickstart job with {', '.join(overrides)}, "
        "on one Ray head with token authentication. Back after: from the new driver's start to its "
        "first launch, or the adoption of a run still in training. Adopted: runs that were in "
        "training at the kill and went on under the new driver. Recovered: results that groups "
        "wrote while there was no driver. Attempts again: beyond the first of each run. The "
        "benchmark fails if a row of the ledger changes, a finished run is lost or there twice, or "
        "a launch up to the kill differs from the undisturbed sweep's."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", default=True, help="the default")
    parser.add_argument("--whole", action="store_false", dest="small")
    parser.add_argument("--workers", type=int, default=1)
    main(**vars(parser.parse_args()))
