from __future__ import annotations

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.spec.load import load_spec_text

SWEEP = """\
name: tiny
method:
  type: dpo
  beta: 0.3
objectives:
  - {name: coverage, type: rouge, range: [0, 1]}
  - {name: custom, type: import, path: "my.module:score"}
"""


def load(*overrides):
    return load_spec_text(SWEEP, "job.yaml", overrides)


def fault(*overrides):
    with pytest.raises(SpecError) as caught:
        load(*overrides)
    (only,) = caught.value.faults
    return only


def test_a_value_is_parsed_as_yaml():
    assert load("method.beta=5e-1").method.beta == 0.5
    assert load("objectives.0.range=[0, 2]").objectives[0].range == (0.0, 2.0)
    assert load("data={type: pydoc, train: 8}").data.train == 8
    assert load("engine.limits.run_s=null").engine.limits.run_s is None
    assert load("model.lora.targets=a=b").model.lora.targets == "a=b"


def test_objectives_are_reached_by_name_and_by_number():
    assert load("objectives.coverage.ref=0.5").objectives[0].ref == 0.5
    assert load("objectives.1.kwargs={a: 1}").objectives[1].kwargs == {"a": 1}
    assert load("objectives.1.kwargs.a=1").objectives[1].kwargs == {"a": 1}


def test_a_section_that_the_yaml_leaves_out_begins_as_its_default():
    spec = load("stop.runs=3", "data.train=5", "stop.stagnation.runs=2", "model.lora.rank=2")
    assert (spec.stop.runs, spec.data.type, spec.data.train) == (3, "pydoc", 5)
    assert spec.stop.stagnation.runs == 2
    assert (spec.model.type, spec.model.lora.rank) == ("embedded", 2)


def test_later_overrides_win():
    assert load("seed=1", "seed=2").seed == 2


def test_a_type_can_be_changed_first_and_its_knobs_set_after():
    spec = load("proposer.type=cmorl", "proposer.select=3")
    assert spec.proposer.select == 3


@pytest.mark.parametrize(
    ("override", "where", "says", "hint"),
    [
        ("method.beta=-1", "--set method.beta", "got -1; allowed: more than 0", "KL"),
        ("method.btea=1", "--set method.btea", "unknown key `btea`", "did you mean `beta`?"),
        ("objectives.0.ref=2", "--set objectives.0.ref", "the best end", "worst end"),
        ("objectives.coverge.ref=0", "--set objectives.coverge.ref", "no entry", "`coverage`?"),
        ("objectives.7.ref=0", "--set objectives.7.ref", "allowed: 0 to 1", "never add"),
        ("name.x=1", "--set name.x", "`name` is 'tiny', which has no key `x`", "whole"),
        ("seed", "--set seed", "allowed: key=value", "then `=`"),
        ("=3", "--set ", "allowed: key=value", "then `=`"),
        ("a..b=3", "--set a..b", "allowed: key=value", "then `=`"),
        ("seed=[1", "--set seed", "not valid YAML", "bracket"),
        ("seed=!dice 6", "--set seed", "the tag `!dice`", "plain values"),
        ("engien.workers=3", "--set engien.workers", "unknown key `engien`", "`engine`?"),
    ],
)
def test_a_fault_is_located_at_the_option(override, where, says, hint):
    found = fault(override)
    assert found.where.split(" objectives.")[0].startswith(where.split(" objectives.")[0])
    assert found.where.startswith("--set ")
    assert says in found.what
    assert hint in found.hint
