from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from paretoflow.core.errors import PluginError
from paretoflow.engine.read.stored_spec import read_spec
from paretoflow.engine.session import run as session
from paretoflow.engine.session.folder import drawn_as_begun, enter_folder, sweep_root
from paretoflow.engine.session.simulate import load_oracle, simulate
from paretoflow.engine.state.events import calibrated
from paretoflow.ledger import open_ledger
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.proposers import OlsProposerSpec
from tests.faults import raises
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep


def test_a_sweep_lives_in_its_storage_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert sweep_root(circle_spec(storage="sweeps")).local == Path.cwd() / "sweeps/circle"
    assert sweep_root(circle_spec(storage="file:///data/s")).local == Path("/data/s/circle")
    assert sweep_root(circle_spec(storage="~/s")).local == Path("/home/someone/s/circle")
    assert sweep_root(circle_spec(storage="s3://bucket/s")).uri == "s3://bucket/s/circle"


def test_a_new_folder_gets_the_resolved_spec(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "circle"
    enter_folder(circle_spec(), root)
    assert {p.name for p in root.iterdir()} == {"spec.json", "folder.json"}
    spec = read_spec(root)
    assert spec["method"]["type"] == "dpo"  # defaults are written out
    assert spec == json.loads(circle_spec().model_dump_json())


@pytest.mark.parametrize(
    "changes",
    [
        {"stop": {"runs": 99}},
        {"engine": {"worker_groups": 9, "retries": 7}},
        {"storage": "elsewhere"},
    ],
)
def test_what_is_spent_may_change_when_a_sweep_goes_on(tmp_path: Path, changes: dict) -> None:
    enter_folder(circle_spec(), tmp_path)
    changed = circle_spec(**changes)
    enter_folder(changed, tmp_path)
    assert read_spec(tmp_path) == json.loads(changed.model_dump_json())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"method": {"type": "dpo", "beta": 0.7}}, "method"),
        ({"seed": 4}, "seed"),
        ({"proposer": {"type": "lattice"}}, "proposer"),
        ({"seed": 4, "data": {"type": "pydoc", "train": 10}}, "seed, data"),
    ],
)
def test_what_is_compared_may_not_change(tmp_path: Path, changes: dict, named: str) -> None:
    enter_folder(circle_spec(), tmp_path)
    problem = declared_problem(circle_spec().objectives)
    open_ledger(tmp_path, writer=True, create=True).append([calibrated(problem, 0.0)])
    before = (tmp_path / "spec.json").read_bytes()
    with raises("spec-fixed", "'circle'", f" {named} (") as caught:
        enter_folder(circle_spec(**changes), tmp_path)
    assert "only engine, stop, storage, tracking may change" in caught.value.hint
    assert (tmp_path / "spec.json").read_bytes() == before


def test_before_anything_is_measured_a_fault_in_the_yaml_can_be_mended(tmp_path: Path) -> None:
    enter_folder(circle_spec(), tmp_path)
    mended = circle_spec(seed=4)
    enter_folder(mended, tmp_path)
    assert read_spec(tmp_path)["seed"] == 4


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, on no import path yet; what is imported from it is forgotten again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(tmp_path)])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


def test_an_oracle_is_found_in_the_current_folder(here: Path) -> None:
    (here / "my_oracle_a.py").write_text("from tests.sim.oracles import CircleOracle\n")
    oracle = load_oracle("my_oracle_a:CircleOracle")
    assert callable(oracle.launch)


@pytest.mark.parametrize(
    ("path", "source", "words"),
    [
        ("no_colon", None, "got 'no_colon'"),
        (":factory", None, "got ':factory'"),
        ("module:", None, "got 'module:'"),
        ("no_such_module_x:f", None, "cannot import 'no_such_module_x'"),
        ("my_oracle_b:f", "import no_such_thing_y", "No module named 'no_such_thing_y'"),
        ("my_oracle_c:f", "def f(:", "cannot import 'my_oracle_c'"),
        ("my_oracle_d:g", "def f(): ...", "has no function 'g'"),
        ("my_oracle_e:f", "f = 7", "has no function 'f'"),
        ("my_oracle_f:f", "def f(): return 7", "returned int, which has no launch"),
        ("my_oracle_g:f", "class f: launch = 3", "returned f, which has no launch"),
    ],
)
def test_an_oracle_that_cannot_be_used_says_why(
    here: Path, path: str, source: str | None, words: str
) -> None:
    if source is not None:
        (here / f"{path.split(':')[0]}.py").write_text(source)
    with pytest.raises(PluginError) as caught:
        load_oracle(path)
    assert words in caught.value.what
    assert caught.value.where == "--oracle"
    assert caught.value.hint


def test_a_simulation_needs_declared_ranges() -> None:
    plain = circle_spec().model_dump(mode="json")
    plain["objectives"][1]["range"] = None
    spec = type(circle_spec()).model_validate(plain)
    with raises("spec-no-range", "objectives.1", "`right`"):
        simulate(spec, CircleOracle())


def test_a_simulation_asks_the_rules_of_a_spec_that_was_made_in_python() -> None:
    proposer = OlsProposerSpec(type="ols")
    five = tuple(
        o.model_copy(update={"name": f"o{i}"})
        for i, o in enumerate((*circle_spec().objectives * 3,)[:5])
    )
    spec = circle_spec().model_copy(update={"proposer": proposer, "objectives": five})
    with raises("spec-contradiction", "proposer.type", "ols"):
        simulate(spec, CircleOracle())


def test_a_simulation_tells_its_launches_in_order() -> None:
    result = simulate(circle_spec(stop={"runs": 5}), CircleOracle())
    assert [x["run_id"][:5] for x in result.launches] == [f"r{i:04d}" for i in range(5)]
    assert {x["status"] for x in result.launches} == {"finished"}
    assert json.loads(json.dumps(result.launches)) == list(result.launches)
    assert result.virtual_s > 0
    assert result.front.sweep == "circle"


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "paretoflow.engine.ray.backend", raising=False)
    with raises("missing-extra"):
        session._ray_backend()


def test_a_sweep_from_before_a_setting_existed_goes_on(tmp_path: Path) -> None:
    spec = circle_spec(storage=str(tmp_path), stop={"runs": 2})
    root = simulated_sweep(spec, CircleOracle())
    plain = json.loads((root / "spec.json").read_text())
    del plain["model"], plain["method"]["beta"]
    (root / "spec.json").write_text(json.dumps(plain))
    enter_folder(drawn_as_begun(spec, root), root)
    assert "model" in read_spec(root)
    assert read_spec(root)["method"]["beta"] == 0.1  # as it was by default then
    with raises("spec-fixed", "another seed"):
        enter_folder(spec.model_copy(update={"seed": 4}), root)
