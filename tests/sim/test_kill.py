"""kill -9 of a driver over the real ledger."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from paretoflow.core.ids import rng_of
from paretoflow.engine.read.sweep import open_sweep_folder, read_sweep
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import EventKind

CHECKOUT = Path(__file__).parents[2]


def _life(storage: Path, runs: int, rng: np.random.Generator) -> list[str]:
    """Let a driver launch a few runs, kill it some time later; return its launches."""
    told: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "tests.sim.delta_driver", str(storage), str(runs)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(int(rng.integers(0, 5))):
            told.append(process.stdout.readline())
        time.sleep(float(rng.uniform(0.0, 0.05 if told else 1.5)))
        process.kill()
        told += process.stdout.readlines()
    return [line.strip() for line in told if line.endswith("\n")]


@pytest.mark.parametrize(("kills", "runs"), [(1, 10), pytest.param(10, 30, marks=pytest.mark.full)])
def test_kills_lose_nothing_and_double_nothing(kills: int, runs: int, tmp_path: Path) -> None:
    rng = rng_of("kill -9")
    told: list[str] = []
    for _ in range(kills):
        told += _life(tmp_path, runs, rng)
    subprocess.run(
        [sys.executable, "-m", "tests.sim.delta_driver", str(tmp_path), str(runs)],
        check=True,
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
    )
    root = tmp_path / "circle"
    events = open_ledger(root, writer=False).events()
    kinds = {k: [e.run_id for e in events if e.kind is k] for k in EventKind}
    assert len(kinds[EventKind.OPENED]) > kills / 2, "the kills came before the work"
    finished = kinds[EventKind.FINISHED]
    assert len(finished) == len(set(finished)) == runs
    assert sorted(finished) == sorted(kinds[EventKind.PROPOSED])
    assert [e.seq for e in events] == list(range(len(events)))
    seeds = {str(r.proposal.seed) for r in open_sweep_folder(root).state.runs.values()}
    assert told
    assert set(told) <= seeds
    attempts = [(e.run_id, e.attempt) for e in events if e.kind is EventKind.STARTED]
    assert len(attempts) == len(set(attempts))
    records = open_ledger(root, writer=False).fronts()
    assert [r.number for r in records] == list(range(len(records)))
    assert read_sweep(root).front.hypervolume == records[-1].hypervolume
