"""A driver in a process of its own, over the real ledger, to be killed: a folder, and its runs.

Prints a line for each launch. An oracle is asked after the decision was committed, so what is
printed must never be lost.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from paretoflow.core.values import Proposal
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep


class SlowOracle(CircleOracle):
    """Takes some real milliseconds, so that kills land inside."""

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float]]]:
        sys.stdout.write(f"{proposal.seed}\n")
        sys.stdout.flush()
        time.sleep(0.004)
        return super().launch(proposal, rng)


if __name__ == "__main__":
    spec = circle_spec(stop={"runs": int(sys.argv[2])}, storage=sys.argv[1])
    simulated_sweep(spec, SlowOracle(), fsync=True)
