"""Comparison with Ray Tune on the same trivial trials: launch overhead, and losses by kill -9.

`timed`: trials of no length, two at a time; the time between the first and the last completion,
over their number. `killed`: trials of 0.3 s; the driver's process is killed with -9, and the trials
that it had reported as finished are compared with those of a restored sweep.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from paretoflow.engine.read.sweep import open_sweep_folder
from paretoflow.ledger.fragments import read_fragments
from paretoflow.ledger.tables import EventKind
from tests.benchmarks.results_file import write_table

KILLS = 3
KILL_S = 12.0
"""Seconds between the first finished trial and the kill."""
TUNE = [sys.executable, "-m", "tests.benchmarks.tune_trials"]
GANGS = [sys.executable, "-m", "tests.benchmarks.group_trials"]


def per_trial_ms(command: list[str]) -> float:
    """Return the milliseconds from one finished trial to the next, on average."""
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    times = [float(x.split()[2]) for x in out.splitlines() if x.startswith("finished")]
    return 1000 * (times[-1] - times[0]) / (len(times) - 1)


def told_before_kill(command: list[str], seconds: float) -> int:
    """Return how many trials a process reported as finished before it was killed with -9."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    told, until_s = 0, None
    for line in process.stdout:
        if line.startswith("finished"):
            told += 1
            until_s = until_s or time.monotonic() + seconds
        if until_s is not None and time.monotonic() > until_s:
            break
    process.send_signal(signal.SIGKILL)
    told += sum(x.startswith("finished") for x in process.stdout.readlines())
    process.wait()
    time.sleep(3)  # the local Ray ends with it
    return told


def lost_by_tune(seconds: float) -> tuple[int, int]:
    """Return the numbers of reported and of lost trials of one kill."""
    with tempfile.TemporaryDirectory() as folder:
        told = told_before_kill([*TUNE, "endless", folder], seconds)
        done = subprocess.run(
            [*TUNE, "restore", folder], check=True, stdout=subprocess.PIPE, text=True
        )
        line = next(x for x in done.stdout.splitlines() if x.startswith("restored"))
        return told, told - int(line.split()[2])


def lost_by_groups(seconds: float) -> tuple[int, int]:
    """Return the numbers of reported and of lost runs of one kill.

    Fragments are not lost, as the next driver adds them to the ledger.
    """
    with tempfile.TemporaryDirectory() as folder:
        told = told_before_kill([*GANGS, "endless", folder], seconds)
        root = Path(folder) / "circle"
        finished = open_sweep_folder(root).state.finished
        open_runs = {r.run_id for r in open_sweep_folder(root).state.open_runs()}
        finished += sum(
            e.kind is EventKind.FINISHED and e.run_id in open_runs for e in read_fragments(root)
        )
        return told, max(0, told - finished)


def main(quick: bool = False) -> None:
    """Measure and write the table."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    kills, seconds, count = (1, 3.0, 8) if quick else (KILLS, KILL_S, 40)
    rows: list[tuple[str, str, str, str]] = []
    for name, words in (("default", "default"), ("actors reused", "reused")):
        each = per_trial_ms([*TUNE, "timed", words, str(count)])
        rows.append((f"Ray Tune, {name}", f"{each:.0f}", "", ""))
    with tempfile.TemporaryDirectory() as folder:
        each = per_trial_ms([*GANGS, "timed", str(5 * count), folder])
    rows.append(("ParetoFlow, ledger on disk with fsync", f"{each:.0f}", "", ""))
    for name, lost_by in (("Ray Tune", lost_by_tune), ("ParetoFlow", lost_by_groups)):
        found = [lost_by(seconds) for _ in range(kills)]
        told, lost = (list(column) for column in zip(*found, strict=True))
        middle = f"{statistics.median(lost):g} ({min(lost)} to {max(lost)})"
        rows.append((f"{name}, killed", "", f"{statistics.median(told):g}", middle))
    write_table(
        "against_tune",
        "Beside Ray Tune on trivial trials",
        "python -m tests.benchmarks.against_tune",
        ("what", "ms for each trial", "told as finished at the kill", "of these lost"),
        rows,
        f"Two trials at a time. ms: from the first finished trial to the last, {count} trials "
        f"({5 * count} for ParetoFlow). Killed: {kills} kills -9 of the driver {seconds:g} s after "
        "its first finished trial of 0.3 s, median (least to most); Tune restored from its "
        "folder, ParetoFlow's ledger and fragments read.",
        quick=quick,
    )


if __name__ == "__main__":
    main("--quick" in sys.argv)
