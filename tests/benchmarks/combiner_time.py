"""Time to choose a step's direction: PAMA's closed form against the min-norm point of gradients.

`python -m tests.benchmarks.combiner_time`. PAMA uses one number for each objective; MGDA uses the
inner products of gradients with as many entries as there are trained parameters.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
import torch

from paretoflow.methods.gradients.combiners.mgda import mgda
from paretoflow.methods.online.aggregators.pama import min_norm_coefficients
from tests.benchmarks.results_file import write_table

OBJECTIVES = (2, 4, 8)
PARAMETERS = (10_000, 100_000, 1_000_000, 10_000_000)
REPEATS = 15


def main(quick: bool = False) -> None:
    """Time both and write the table."""
    torch.set_num_threads(1)
    rows = []
    for m in OBJECTIVES:
        levels = np.random.default_rng(m).normal(size=m)
        pama_ms = _median_ms(partial(min_norm_coefficients, levels))
        for d in PARAMETERS[: 2 if quick else None]:
            gradients = torch.randn(m, d, generator=torch.Generator().manual_seed(m))
            whole_ms = _median_ms(partial(_min_norm, gradients))
            rows.append(
                [m, f"{d:,}", f"{pama_ms:.3f}", f"{whole_ms:.2f}", f"{whole_ms / pama_ms:,.0f}"]
            )
    write_table(
        "combiner_time",
        "Choosing a direction: PAMA's closed form and MGDA on gradients",
        "python -m tests.benchmarks.combiner_time",
        ["objectives", "trained parameters", "PAMA ms", "MGDA ms", "MGDA / PAMA"],
        rows,
        f"Median of {REPEATS}, one thread. MGDA: inner products in float32 and the exact point "
        "of least norm, by all faces of the simplex (hence the jump at 8 objectives); the backward "
        "pass for each objective, which it needs too, is not counted. PAMA needs no gradient, so "
        "its time does not depend on the parameters.",
        quick=quick,
    )


def _min_norm(gradients: torch.Tensor) -> None:
    gram = (gradients @ gradients.T).double().numpy()
    mgda(gram, np.full(len(gram), 1 / len(gram)), weighted=False)


def _median_ms(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken) * 1000


if __name__ == "__main__":
    main("--quick" in sys.argv)
