"""Kill processes and fill disks of real sweeps at random moments; measure the cost.

Each setting is a kind of storage and a kind of blow. Its sweeps are small, but real: local Ray, the
model inside the package, DPO, every checkpoint evaluated. A sweep takes up to three blows, each at
a moment drawn uniformly from the length of an undisturbed sweep. Whenever the command has ended, it
is started again, until the sweep is complete. A full disk is freed after 5 to 40 s.

* `driver -9`, `rank -9`, `raylet -9`: that process is killed; `group -9`, `group TERM`: all of them
* `disk of the driver`: the ledger's disk (local storage)
* `disk of the worker`: the disk of adapters and states, or of the temporary folder under S3

    python -m tests.benchmarks.chaos --folder sweeps/chaos      # can be continued; needs root
    python -m tests.benchmarks.chaos --blows 2 --only 's3 .*'   # some settings, printed
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.chaos.blows import FULL_S, KILLS, SmallDisk, small_disk
from tests.benchmarks.chaos.sweep import NAME, Sweep
from tests.benchmarks.chaos.told import Told
from tests.benchmarks.chaos.trial import Trial
from tests.benchmarks.results_file import write_table
from tests.s3_server import KEYS, moto_server, new_bucket

RUNS = 4
EACH = 3
"""Blows that one sweep takes at most."""
DISK_OF_DRIVER, DISK_OF_WORKER = "disk of the driver", "disk of the worker"
SETTINGS = (
    *(f"local {blow}" for blow in (*KILLS, DISK_OF_DRIVER, DISK_OF_WORKER)),
    *(f"s3 {blow}" for blow in (*KILLS, DISK_OF_WORKER)),
)
COLUMNS = (
    *("storage", "blow", "blows", "sweeps", "events lost", "doubled", "failed for good"),
    *("not ended", "attempts again", "of these charged", "commands hit that ended"),
    *("goes on after s, median", "max", "left behind", "hung", "last status"),
)


Struck = tuple[Sweep, SmallDisk | None]


@dataclass(frozen=True)
class Place:
    """Where the sweeps of a benchmark live.

    Args:
        scratch: A folder of this machine.
        endpoint: Of the S3 server.
    """

    scratch: Path
    endpoint: str

    @contextmanager
    def sweep(
        self, setting: str, number: int, seed: int
    ) -> Iterator[tuple[Sweep, SmallDisk | None]]:
        """Yield a new sweep of a setting, with the disk that will be filled."""
        kind, blow = setting.split(" ", 1)
        home = self.scratch / f"{re.sub('[^a-z0-9]+', '-', setting.lower())}-{number}"
        shutil.rmtree(home, ignore_errors=True)
        env = {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        storage, full = str(home / "storage"), None
        if kind == "s3":
            env |= KEYS | {"AWS_ENDPOINT_URL": self.endpoint}
            storage = f"s3://{new_bucket(self.endpoint)}/chaos"
        if blow == DISK_OF_DRIVER:
            full = home / "storage" / NAME / "ledger"
        elif blow == DISK_OF_WORKER and kind == "local":
            full = home / "storage" / NAME / "adapters"
        elif blow == DISK_OF_WORKER:
            full = home / "tmp"
            env |= {"TMPDIR": str(full), "RAY_TMPDIR": tempfile.gettempdir()}
        with _reaching(env), _disk(full) as disk:
            yield Sweep(home, storage, env, RUNS, seed), disk
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _disk(place: Path | None) -> Iterator[SmallDisk | None]:
    if place is None:
        yield None
        return
    with small_disk(place) as disk:
        yield disk


@contextmanager
def _reaching(env: Mapping[str, str]) -> Iterator[None]:
    """Let this process reach the storage of a sweep."""
    keys = {k: v for k, v in env.items() if k.startswith("AWS_")}
    before = dict(os.environ)
    os.environ.update(keys)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Record:
    """Results so far, a line of JSON for each sweep; an interrupted benchmark continues."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines()
            self.rows = [json.loads(line) for line in lines if line.endswith("}")]

    def of(self, setting: str) -> list[dict[str, Any]]:
        """Return what was seen of a setting."""
        return [row for row in self.rows if row["setting"] == setting]

    def keep_logs(self, sweep: Sweep) -> None:
        """Copy what the commands of a sweep have printed."""
        shutil.copytree(
            *(sweep.home, self._path.parent / sweep.home.name),
            ignore=lambda folder, names: [n for n in names if not n.startswith("life-")],
            dirs_exist_ok=True,
        )

    def add(self, setting: str, told: Told) -> None:
        """Add a sweep."""
        row = json.loads(json.dumps({"setting": setting, **told.to_dict()}))
        with self._path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        self.rows.append(row)


def blows_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the blows of sweeps."""
    return [blow for row in rows for blow in row["blows"]]


def calm_of(place: Place, record: Record, kind: str) -> float:
    """Return how many seconds an undisturbed sweep takes; it is run once for each storage."""
    setting = f"{kind} calm"
    if not record.of(setting):
        with place.sweep(setting, 0, 0) as (sweep, _):
            told = Trial(sweep, "", 0, 0.0, random.Random(0), _say).run()
        if told.finished != RUNS:
            raise SystemExit(f"the undisturbed sweep did not end well: {told.faults}")
        record.add(setting, told)
    return float(record.of(setting)[0]["wall_s"])


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def table(record: Record) -> list[list[object]]:
    """Return a row for each setting that was tried."""
    return [_row(setting, rows) for setting in SETTINGS if (rows := record.of(setting))]


def _row(setting: str, rows: list[dict[str, Any]]) -> list[object]:
    kind, blow = setting.split(" ", 1)
    blows = blows_of(rows)
    on = [b["on_s"] for b in blows if b["on_s"] is not None]
    ended = sum(b["status"] is not None for b in blows)
    statuses = sorted({str(row["status"]) for row in rows})
    sums = {k: sum(row[k] for row in rows) for k, v in rows[0].items() if isinstance(v, int)}
    return [
        *(kind, blow, len(blows), len(rows), sums["lost"], sums["doubled"], sums["failed"]),
        *(sums["unended"], sums["attempts"], sums["charged"], f"{ended} of {len(blows)}"),
        f"{median(on):.0f}" if on else "nothing to do",
        f"{max(on):.0f}" if on else "",
        *(sum(row["left"] for row in rows), sum(row["hung"] for row in rows), ", ".join(statuses)),
    ]


def main(blows: int, only: str, folder: Path | None, seed: int) -> None:
    """Try every setting until it has taken its blows, and write the table."""
    with tempfile.TemporaryDirectory(prefix="pf-chaos-") as scratch, moto_server() as endpoint:
        kept = folder or Path(scratch) / "record"
        kept.mkdir(parents=True, exist_ok=True)
        record, place = Record(kept / "sweeps.jsonl"), Place(Path(scratch), endpoint)
        for setting in (s for s in SETTINGS if re.fullmatch(only, s)):
            _try(place, record, setting, blows, seed)
        calm = {k: calm_of(place, record, k) for k in ("local", "s3") if record.of(f"{k} calm")}
        command = f"python -m tests.benchmarks.chaos --blows {blows} --seed {seed}"
        notes = _notes(record, calm)
        write_table(
            *("chaos", "Real sweeps under fire", command, COLUMNS, table(record), notes),
            quick=folder is None,
        )


def _try(place: Place, record: Record, setting: str, blows: int, seed: int) -> None:
    kind, blow = setting.split(" ", 1)
    calm_s = calm_of(place, record, kind)
    while (had := len(blows_of(record.of(setting)))) < blows:
        number = len(record.of(setting))
        moments = random.Random(f"{seed} {setting} {number}")
        _say(f"{setting}: sweep {number}, {had} of {blows} blows so far")
        with place.sweep(setting, number, seed + number) as (sweep, disk):
            wanted = min(EACH, blows - had)
            told = Trial(sweep, blow, wanted, calm_s, moments, _say, disk).run()
            if told.faults:
                record.keep_logs(sweep)
        record.add(setting, told)
        ends = f"{told.finished} of {told.runs} finished, {told.failed} failed"
        _say(f"  {ends}, {told.lost} lost, {told.doubled} doubled; {told.faults or 'all well'}")


def _notes(record: Record, calm: Mapping[str, float]) -> str:
    times = ", ".join(f"{seconds:.0f} s in {kind} storage" for kind, seconds in calm.items())
    seen = [f"{row['setting']}: {fault}" for row in record.rows for fault in row["faults"]]
    faults = "\n".join(f"* {fault}" for fault in seen) or "none"
    return (
        f"Each sweep is {RUNS} runs of DPO on the model inside the package, one worker group on "
        f"local Ray; undisturbed it takes {times}. Blows come at moments drawn uniformly from that "
        "length, counted from a command's start or the blow before; a disk stays full for "
        f"{FULL_S[0]:.0f} to {FULL_S[1]:.0f} s. Events lost: rows that the ledger held at a blow "
        "and no longer has, as they were and where they were, and runs that a command told to "
        "have finished. Goes on: from the blow, or the end of a full disk, to the next row of "
        "work, with the start of the next command where one was needed. Charged: failures that "
        "cost a run one of its `retries`. Left behind: processes of a command that still lived "
        f"10 s after its end.\n\nWhat else was seen:\n\n{faults}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--blows", type=int, default=EACH, help="of each setting")
    parser.add_argument(
        "--only", default=".*", help=f"a pattern of settings: {', '.join(SETTINGS)}"
    )
    parser.add_argument("--folder", type=Path, help="keeps what was seen, and writes the results")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    main(given.blows, given.only, given.folder, given.seed)
