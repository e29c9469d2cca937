from __future__ import annotations

from paretoflow.methods.conditioned.stages import (
    Example,
    ExampleOrder,
    ExampleStage,
    read_stage,
    stage_at,
    write_stage,
)
from paretoflow.spec.methods import DpaMethodSpec, RicMethodSpec
from tests.faults import raises

EXAMPLES = tuple(Example((n,), (n, 9)) for n in range(5))


def test_steps_are_shared_out_by_hand():
    spec = RicMethodSpec(type="ric", steps=10, rounds=2, round_steps=3)
    found = [stage_at(spec, step) for step in range(10)]
    assert found == [(0, 0)] * 4 + [(1, 4)] * 3 + [(2, 7)] * 3


def test_unset_shares_are_even_and_no_round_is_one_stage():
    even = DpaMethodSpec(type="dpa", steps=9, rounds=2)
    assert [stage_at(even, step)[0] for step in range(9)] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    alone = RicMethodSpec(type="ric", steps=4, rounds=0)
    assert {stage_at(alone, step) for step in range(4)} == {(0, 0)}


def test_every_example_comes_once_in_each_pass_in_another_order():
    stage = ExampleStage(1, EXAMPLES[:3], EXAMPLES[3:])
    drawn = ExampleOrder(stage, 0).draw(range(10))
    assert set(drawn[:5]) == set(drawn[5:]) == set(EXAMPLES)
    assert drawn[:5] != drawn[5:]
    assert drawn == [ExampleOrder(stage, 0).draw([n])[0] for n in range(10)]
    assert drawn != ExampleOrder(stage, 1).draw(range(10))


def test_a_stage_without_examples_is_told():
    with raises("training-nothing-to-learn", "nothing"):
        ExampleOrder(ExampleStage(2, ()), 0)


def test_a_stage_survives_its_file(tmp_path):
    assert read_stage(tmp_path) is None
    stage = ExampleStage(2, EXAMPLES[:2], EXAMPLES[2:])
    write_stage(tmp_path, stage)
    assert read_stage(tmp_path) == stage
