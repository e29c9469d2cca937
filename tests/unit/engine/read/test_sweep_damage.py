"""Readers of a sweep refuse one that lost its end, or a front snapshot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.errors import DamagedError
from paretoflow.engine.read.status import StandingReader, facts
from paretoflow.engine.read.stored_spec import read_spec, whole_spec
from paretoflow.engine.read.sweep import open_sweep_folder, read_sweep
from paretoflow.ledger import open_ledger
from paretoflow.storage import as_folder
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


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every key of a plain value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(value, dict):
            yield (*place, key)
        if isinstance(inner, dict | list):
            yield from _places(inner, (*place, key))


def test_a_key_of_the_spec_that_changed_is_refused_wherever_it_is(sweep: Path) -> None:
    plain = json.loads((sweep / "spec.json").read_text())
    places = list(_places(plain))
    assert len(places) > 60
    for *above, key in places:
        changed = deepcopy(plain)
        parent = changed
        for part in above:
            parent = parent[part]
        parent[f"{key}x"] = parent.pop(key)
        (sweep / "spec.json").write_text(json.dumps(changed))
        with raises("damaged", "spec.json"):
            whole_spec(as_folder(sweep), read_spec(sweep))


@pytest.mark.parametrize("place", [(), ("stop",), ("engine", "limits"), ("method",)])
def test_a_key_that_only_a_newer_version_knows_is_passed_over(
    sweep: Path, place: tuple[str, ...]
) -> None:
    before = facts(StandingReader(sweep).look(0.0))
    plain = parent = json.loads((sweep / "spec.json").read_text())
    for part in place:
        parent = parent[part]
    parent["flavour"] = {"sweet": [1, 2]}
    (sweep / "spec.json").write_text(json.dumps(plain))
    assert facts(StandingReader(sweep).look(0.0)) == before


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
