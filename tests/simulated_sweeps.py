"""Sweeps on disk without any training: a simulated backend over the real ledger."""

from __future__ import annotations

from pathlib import Path

from paretoflow.engine.driver import Driver
from paretoflow.engine.session import enter_folder, sweep_root
from paretoflow.engine.simulated import Oracle, SimulatedBackend, SimulatedCluster, Weather
from paretoflow.ledger import open_ledger
from paretoflow.proposers import build
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Folder


def simulated_sweep(
    spec: SweepSpec, oracle: Oracle, *, weather: Weather | None = None, fsync: bool = False
) -> Path | Folder:
    """Run a sweep, from wherever it stands, to its end; return where it lives."""
    root = sweep_root(spec)
    enter_folder(spec, root)
    ledger = open_ledger(root, writer=True, create=True, fsync=fsync)
    events = ledger.events()
    problem = declared_problem(spec.objectives)
    cluster = SimulatedCluster(
        oracle,
        problem,
        spec.engine,
        seed=spec.seed,
        weather=weather,
        start_s=events[-1].time_s if events else 0.0,
    )
    proposer = build(spec.proposer, m=problem.m, runs=spec.stop.runs)
    Driver(spec, ledger, SimulatedBackend(cluster), proposer).run()
    return root.local or root
