"""Measure how often 95 % intervals hold the truth; `python -m tests.benchmarks.coverage`.

Every trial is one or several synthetic sweeps with known truth. Trials are saved one by one, so
that an interrupted run continues.
"""

from __future__ import annotations

import argparse
import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.coverage.about import ABOUT, COMMAND
from tests.benchmarks.coverage.tables import tables
from tests.benchmarks.coverage.trial import trial
from tests.benchmarks.coverage.worlds import WORLDS
from tests.benchmarks.results_file import RESULTS, machine, versions

RUNS, OBJECTIVES = (12, 32), (2, 3)


def main() -> None:
    """Run what is missing, and print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True, help="keeps what was run")
    parser.add_argument("--trials", type=int, default=500, help="of each setting")
    parser.add_argument("--worlds", nargs="*", default=list(WORLDS))
    parser.add_argument("--show", action="store_true", help="only print the tables")
    parser.add_argument("--write", action="store_true", help="write the results file")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    # a part of each setting before the next part of any: cut off, it is even
    for number in () if asked.show else range(0, asked.trials, 50):
        for m, runs, kind in itertools.product(OBJECTIVES, RUNS, asked.worlds):
            _run(asked.folder / f"{kind}-{runs}-{m}.jsonl", (kind, runs, m), number + 50)
    found = tables({p.stem: _kept(p) for p in sorted(asked.folder.glob("*.jsonl"))})
    print(found)
    if asked.write:
        about = f"`{COMMAND}`, {datetime.now(UTC):%Y-%m-%d}\n\n{machine()}\n\n{versions()}"
        text = f"# Do 95 % intervals hold the truth?\n\n{about}\n\n{ABOUT}\n{found}\n"
        (RESULTS / "coverage.md").write_text(text, encoding="utf-8")


def _run(path: Path, setting: tuple[str, int, int], upto: int) -> None:
    with path.open("a", encoding="utf-8") as out:
        for seed in range(len(_kept(path)), upto):
            out.write(json.dumps(trial(*setting, seed)) + "\n")
            out.flush()


def _kept(path: Path) -> list[dict[str, Any]]:
    """Return the trials that are there, but for a last line that was cut off."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


if __name__ == "__main__":
    main()
