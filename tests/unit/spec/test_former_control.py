"""A sweep that was begun before constrained runs looked at their parent goes on as it began."""

from __future__ import annotations

import json

import pytest

from paretoflow.engine.read.stored_spec import read_spec
from paretoflow.engine.session.folder import drawn_as_begun, enter_folder, require_same
from paretoflow.spec.former_control import FORMER
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.methods import DualSpec

QUICK_YAML = "name: x\nobjectives:\n  - {name: a, type: rouge}\n  - {name: b, type: length}\n"


@pytest.fixture
def older(tmp_path):
    """The folder of a sweep whose spec knows three keys of control."""
    spec = load_spec_text(QUICK_YAML, "sweep.yaml")
    root = tmp_path / spec.name
    plain = spec.model_dump(mode="json")
    plain["method"]["dual"] = {"every": 5, "lr": 1.0, "max_multiplier": 10.0}
    root.mkdir()
    (root / "spec.json").write_text(json.dumps(plain), encoding="utf-8")
    return root


def test_a_stored_spec_keeps_what_was_done_then(older):
    dual = DualSpec.model_validate(read_spec(older)["method"]["dual"])
    assert (dual.every, dual.lr, dual.form) == (5, 1.0, "dual")
    assert (dual.paired, dual.result, dual.draws, dual.checks) == (False, "last", 1, 0)


def test_the_same_yaml_goes_on_with_it(older):
    spec = load_spec_text(QUICK_YAML, "sweep.yaml")
    assert spec.method.dual == DualSpec()
    same = drawn_as_begun(spec, older)
    require_same(same, older)
    assert same.method.dual.result == "last"
    assert same.method.dual.every == 5


def test_what_the_yaml_says_counts(older):
    spec = load_spec_text(QUICK_YAML, "sweep.yaml", ["method.dual.result=feasible"])
    assert drawn_as_begun(spec, older).method.dual.result == "feasible"
    assert drawn_as_begun(spec, older).method.dual.lr == 1.0


def test_a_new_sweep_is_as_it_says(tmp_path):
    spec = load_spec_text(QUICK_YAML, "sweep.yaml")
    enter_folder(spec, tmp_path / spec.name)
    assert read_spec(tmp_path / spec.name)["method"]["dual"]["result"] == "feasible"
    assert drawn_as_begun(spec, tmp_path / spec.name) == spec


def test_what_was_done_is_a_spec_of_control():
    assert DualSpec.model_validate(dict(FORMER)).paired is False
