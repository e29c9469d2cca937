from __future__ import annotations

import json
from pathlib import Path

import pytest

from paretoflow import __version__
from paretoflow.core.errors import SweepNotFoundError
from paretoflow.engine.session.folder import enter_folder, sweep_root
from paretoflow.engine.session.resume import changed_keys, load_sweep_spec
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event, EventKind
from tests.faults import raises
from tests.sim.specs import circle_spec


@pytest.fixture
def root(tmp_path: Path) -> Path:
    spec = circle_spec(storage=str(tmp_path / "sweeps"), method={"type": "dpo", "beta": 1e-05})
    enter_folder(spec, sweep_root(spec))
    return tmp_path / "sweeps" / "circle"


def test_the_spec_comes_back_as_it_was(root: Path) -> None:
    spec = circle_spec(storage=str(root.parent), method={"type": "dpo", "beta": 1e-05})
    assert load_sweep_spec(root) == spec
    assert load_sweep_spec(str(root)) == spec


def test_a_sweep_that_was_moved_goes_on_where_it_lies(root: Path, tmp_path: Path) -> None:
    root.rename(tmp_path / "circle")
    spec = load_sweep_spec(tmp_path / "circle")
    assert spec.storage == str(tmp_path)
    assert sweep_root(spec).local == tmp_path / "circle"


def test_what_may_change_is_changed(root: Path) -> None:
    spec = load_sweep_spec(root, ["stop.runs=20", "engine.worker_groups=3"])
    assert (spec.stop.runs, spec.engine.worker_groups) == (20, 3)


@pytest.mark.parametrize("change", ["seed=4", "method.beta=1", "storage=/x", "name=y", "beta", ""])
def test_what_may_not_change_is_refused(root: Path, change: str) -> None:
    with raises("spec-fixed", "tracking"):
        load_sweep_spec(root, [change])


def test_a_faulty_change_is_named(root: Path) -> None:
    with raises("spec-unknown-key", "stop.rums"):
        load_sweep_spec(root, ["stop.rums=3"])
    with raises("spec-wrong-type", "stop.runs"):
        load_sweep_spec(root, ["stop.runs=none"])


def test_servers_may_be_elsewhere_when_a_sweep_goes_on(tmp_path: Path) -> None:
    generation = {"engine": "vllm", "url": ["http://a:8000"], "max_new_tokens": 8}
    spec = circle_spec(storage=str(tmp_path), model={"type": "embedded", "generation": generation})
    enter_folder(spec, sweep_root(spec))
    moved = load_sweep_spec(tmp_path / "circle", ["model.generation.url=http://b:8000"])
    assert moved.model.generation.url == ("http://b:8000",)
    enter_folder(moved, sweep_root(moved))
    assert changed_keys(moved, tmp_path / "circle") == []
    with raises("spec-fixed", "model.generation.max_new_tokens"):
        load_sweep_spec(tmp_path / "circle", ["model.generation.max_new_tokens=9"])
    other = moved.model.generation.model_copy(update={"max_new_tokens": 9})
    model = moved.model.model_copy(update={"generation": other})
    with raises("spec-fixed", "model"):
        changed_keys(moved.model_copy(update={"model": model}), tmp_path / "circle")


def test_a_folder_of_another_name_is_refused(root: Path) -> None:
    root.rename(root.parent / "copy")
    with raises("spec-fixed", "'circle'") as caught:
        load_sweep_spec(root.parent / "copy")
    assert "move it back" in caught.value.hint


def test_a_spec_of_a_newer_version_names_both(root: Path) -> None:
    plain = json.loads((root / "spec.json").read_text())
    (root / "spec.json").write_text(json.dumps(plain | {"flavour": "sweet"}))
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    payload = {"code_version": "9.1"}
    ledger.append([Event("opened:0", EventKind.OPENED, 0.0, payload=payload)])
    with raises("schema-version", "flavour") as caught:
        load_sweep_spec(root)
    assert __version__ in caught.value.what
    assert "version 9.1 wrote it" in caught.value.hint


def test_a_spec_of_a_newer_version_that_nobody_has_begun(root: Path) -> None:
    (root / "spec.json").write_text('{"name": "circle"}')
    with raises("schema-version", "objectives"):
        load_sweep_spec(root)


def test_no_sweep_there(tmp_path: Path) -> None:
    with pytest.raises(SweepNotFoundError):
        load_sweep_spec(tmp_path)


def test_files_need_not_be_on_this_machine(tmp_path: Path) -> None:
    data = {"type": "jsonl", "path": "/not/here.jsonl", "columns": {"prompt": "q"}}
    spec = circle_spec(storage=str(tmp_path), data=data)
    enter_folder(spec, sweep_root(spec))
    with raises("spec-missing-file", "'/not/here.jsonl'"):
        load_sweep_spec(tmp_path / "circle")
    assert load_sweep_spec(tmp_path / "circle", files=False) == spec


def test_what_differs_from_the_sweep_that_runs(root: Path) -> None:
    same = load_sweep_spec(root)
    assert changed_keys(same, root) == []
    assert changed_keys(same.model_copy(update={"storage": "/else"}), root) == []
    assert changed_keys(load_sweep_spec(root, ["stop.runs=3"]), root) == ["stop"]
    plain = json.loads((root / "spec.json").read_text())
    del plain["engine"]["limits"]  # as a version would that did not know them
    (root / "spec.json").write_text(json.dumps(plain))
    assert changed_keys(same, root) == []
    with raises("spec-fixed", "already"):
        changed_keys(same.model_copy(update={"seed": 77}), root)
