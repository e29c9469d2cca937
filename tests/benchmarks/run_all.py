"""Runs all benchmarks in turn; each writes `results/<name>.md`.

`--quick` runs each with tiny settings and prints the tables without writing them: a check that the
benchmarks work, in about six minutes, not a measurement. Run nothing else on the machine meanwhile.
"""

from __future__ import annotations

import sys
import time

from tests.benchmarks import (
    against_tune,
    cli_start,
    combiner_time,
    driver_overhead,
    driver_scale,
    gain_calibration,
    ledger_open,
    submit_kill,
    sweep_against_loop,
    takeover,
)
from tests.benchmarks.methods import __main__ as methods
from tests.benchmarks.rungs import __main__ as rungs

BENCHMARKS = (
    cli_start,
    ledger_open,
    combiner_time,
    gain_calibration,
    rungs,
    takeover,
    driver_overhead,
    driver_scale,
    against_tune,
    sweep_against_loop,
    methods,
    submit_kill,
)


def main(quick: bool = False) -> None:
    """Run them all, the short ones first."""
    for benchmark in BENCHMARKS:
        started = time.perf_counter()
        benchmark.main(quick)
        print(f"{benchmark.__name__}: {time.perf_counter() - started:.0f} s\n", flush=True)


if __name__ == "__main__":
    main("--quick" in sys.argv)
