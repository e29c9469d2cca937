"""Start time of the command line, beside the import time of the libraries that it avoids."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.results_file import write_table

RUNS = 7
BIN = Path(sys.executable).parent / "paretoflow"
COMMANDS = {
    "paretoflow --help": [str(BIN), "--help"],
    "paretoflow check jobs/quickstart.yaml": [str(BIN), "check", "jobs/quickstart.yaml"],
    "paretoflow schema": [str(BIN), "schema"],
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import pydantic, typer, yaml'": [
        sys.executable,
        "-c",
        "import pydantic, typer, yaml",
    ],
    "python -c 'import torch'": [sys.executable, "-c", "import torch"],
    "python -c 'from trl import DPOTrainer'": [sys.executable, "-c", "from trl import DPOTrainer"],
    "python -c 'import ray'": [sys.executable, "-c", "import ray"],
}


def seconds(command: list[str], runs: int) -> list[float]:
    """Return the wall time of each run, after one that is not counted."""
    taken = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    return taken[1:]


def main(quick: bool = False) -> None:
    """Measure and write the table."""
    runs = 1 if quick else RUNS
    rows = []
    for name, command in COMMANDS.items():
        taken = seconds(command, runs)
        rows.append(
            (
                f"`{name}`",
                f"{min(taken):.2f}",
                f"{statistics.median(taken):.2f}",
                f"{max(taken):.2f}",
            )
        )
    write_table(
        "cli_start",
        "Start of the command line",
        "python -m tests.benchmarks.cli_start",
        ("command", "min s", "median s", "max s"),
        rows,
        f"Wall time of the whole process, {runs} runs after one warm-up.",
        quick=quick,
    )


if __name__ == "__main__":
    main("--quick" in sys.argv)
