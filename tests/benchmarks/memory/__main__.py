"""The memory estimate of `check` against measured peaks of training and sampling, on a CPU.

`python -m tests.benchmarks.memory`; minutes. Models of several families and shapes, with random
weights, train for two steps with the real executor. Freed blocks go back to the system at once, so
that a peak is what was live and not what the allocator kept. The estimate has no number that was
fitted to these figures, except the copies of a piece of logits on a CPU (`CPU_TILES`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from paretoflow.cli.local.memory import Memory, memory_of
from paretoflow.lm.footprint import footprint
from tests.benchmarks.memory.cases import CASES, SAMPLED, Case, make_folder, spec_of
from tests.benchmarks.results_file import write_table

COLUMNS = (
    "case",
    "family",
    "layers, hidden, MLP, words",
    "phase",
    "measured MB",
    "estimated MB",
    "ratio",
)
BLOCK = str(2**18)
"""Bytes from which the allocator asks the system for a block of its own."""


def measured() -> dict[str, int]:
    """Return the peak of each case in bytes, measured in another process."""
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": BLOCK, "MALLOC_TRIM_THRESHOLD_": BLOCK}
    command = [sys.executable, "-m", "tests.benchmarks.memory.child"]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith('["'))


def estimated(case: Case) -> float:
    """Return the estimate of the case's phase, without the libraries."""
    with tempfile.TemporaryDirectory() as scratch:
        make_folder(case, Path(scratch))
        found = memory_of(spec_of(case, Path(scratch)))
    assert isinstance(found, Memory), found
    if case in SAMPLED:  # nothing is rated in this phase
        return footprint(found.shape, replace(found.load, referenced=False)).sampling
    return found.parts.weights + found.parts.adapter + found.parts.training


def row(case: Case, peak: float) -> list[str]:
    """Return a case's row."""
    guess = estimated(case)
    return [
        case.name,
        f"{case.family}, {case.dtype}",
        f"{case.layers}, {case.hidden}, {case.inner}, {case.words:,}",
        "sampling" if case in SAMPLED else f"training, {case.method['type']}",
        f"{peak / 1e6:,.0f}",
        f"{guess / 1e6:,.0f}",
        f"{guess / peak:.2f}",
    ]


def main() -> None:
    """Measure all cases and write the table."""
    peaks = measured()
    first, *cases = CASES
    rows = [row(case, peaks[case.name] - peaks[first.name]) for case in cases]
    rows += [row(case, peaks[case.name]) for case in SAMPLED]
    write_table(
        "memory",
        "The memory estimate against measured peaks",
        "python -m tests.benchmarks.memory",
        COLUMNS,
        rows,
        "Training: base, adapter, activations and logits, beyond the peak of a model of almost no "
        "size. Sampling: beyond the loaded base. Ratio: estimated over measured. Batches and "
        "lengths: `tests/benchmarks/memory/cases.py`.",
    )


if __name__ == "__main__":
    main()
