"""Sweeps on disk without any training: a simulated backend with the real ledger."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from paretoflow.core.ids import digest_of_folder
from paretoflow.core.values import BASE_RUN_ID
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.session.folder import enter_folder, sweep_root
from paretoflow.engine.simulation.backend import (
    FaultModel,
    Oracle,
    SimulatedBackend,
    SimulatedCluster,
)
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import EventKind
from paretoflow.proposers import build
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Folder


def simulated_sweep(
    spec: SweepSpec, oracle: Oracle, *, faults: FaultModel | None = None, fsync: bool = False
) -> Path | Folder:
    """Run or resume a sweep to its end; return its folder."""
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
        faults=faults,
        start_s=events[-1].time_s if events else 0.0,
    )
    proposer = build(spec.proposer, m=problem.m, runs=spec.stop.runs)
    Driver(spec, ledger, SimulatedBackend(cluster), proposer).run()
    return root.local or root


def sweep_with_adapters(storage: Path, runs: int = 4) -> Path:
    """Return the folder of a sweep whose evaluations have fake adapter folders with digests."""
    from tests.sim.oracles import CircleOracle
    from tests.sim.specs import circle_spec

    made = simulated_sweep(
        circle_spec(stop={"runs": runs}, storage=str(storage / "made")), CircleOracle()
    )
    assert isinstance(made, Path)
    root = storage / "kept" / made.name
    shutil.copytree(made, root, ignore=shutil.ignore_patterns("ledger"))
    events = []
    for event in open_ledger(made, writer=False).events():
        if event.kind is EventKind.EVALUATED and event.run_id != BASE_RUN_ID:
            name = f"adapters/{event.run_id}/a{event.attempt}/step-{event.step:04d}"
            folder = root / name
            folder.mkdir(parents=True)
            (folder / "adapter_config.json").write_text('{"r": 2}')
            (folder / "adapter_model.safetensors").write_bytes(event.snapshot_id.encode() + b"\0")
            event = replace(event, path=name, digest=digest_of_folder(folder))
        events.append(event)
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    ledger.append(events)
    return root
