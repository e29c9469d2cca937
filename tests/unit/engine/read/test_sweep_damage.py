"""Readers of a sweep refuse one that lost its end, or a front snapshot."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from paretoflow.core.errors import DamagedError
from paretoflow.engine.read.status import StandingReader
from paretoflow.engine.read.sweep import open_sweep_folder, read_sweep
from paretoflow.ledger import open_ledger
from tests.faults import raises
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = tmp_path_factory.mktemp("storage")
    spec = circle_spec(stop={"runs": 5}, storage=str(storage))
    simulated_sweep(spec, CircleOracle(), fsync=False)
    return storage / spec.name


@pytest.fixture
def sweep(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / written.name))


def _log(sweep: Path, table: str) -> list[Path]:
    return sorted((sweep / "ledger" / table / "_delta_log").glob("*.json"))


@pytest.mark.parametrize("count", [1, 3, 6])
def test_a_ledger_cut_off_at_its_end_is_refused(sweep: Path, count: int) -> None:
    known = open_ledger(sweep, writer=False).fronts()[-1].ledger_seq
    for path in _log(sweep, "events")[-count:]:
        path.unlink()
    left = open_ledger(sweep, writer=False).events()[-1].seq
    for read in (read_sweep, lambda root: StandingReader(root).look(0.0)):
        if left >= known:  # only the last words of the driver: no result is among them
            read(sweep)
        else:
            with raises("damaged-gone", "missing"):
                read(sweep)


@pytest.mark.full
def test_every_entry_lost_is_noticed_or_changes_nothing(sweep: Path, written: Path) -> None:
    whole = read_sweep(written).front
    for table in ("events", "fronts"):
        for path in _log(sweep, table):
            kept = path.read_bytes()
            path.write_bytes(b"")
            with suppress(DamagedError):
                assert read_sweep(sweep).front.points == whole.points
            path.write_bytes(kept)


def test_a_snapshot_that_its_events_do_not_give_is_refused(sweep: Path) -> None:
    ledger = open_ledger(sweep, writer=True)
    last = ledger.fronts()[-1]
    assert open_sweep_folder(sweep, -1).state.hypervolume == pytest.approx(last.hypervolume)
    ledger.record_front(replace(last, number=last.number + 1, hypervolume=2 * last.hypervolume))
    with raises("damaged-gone", f"front snapshot {last.number + 1}", "ledger/events"):
        open_sweep_folder(sweep, -1)
    open_sweep_folder(sweep)
