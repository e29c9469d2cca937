from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from paretoflow.core.values import Direction
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.objectives import LengthObjectiveSpec, SystemObjectiveSpec, unmoved
from paretoflow.spec.sweep import SweepSpec


def system(measure: str, **given: Any) -> SystemObjectiveSpec:
    plain = {"type": "system", "name": "cost", "range": [0, 9], "measure": measure, **given}
    return SystemObjectiveSpec.model_validate(plain)


@pytest.mark.parametrize(
    ("measure", "unit", "direction"),
    [
        ("latency", "s", Direction.MINIMIZE),
        ("tokens_per_s", "tokens/s", Direction.MAXIMIZE),
        ("memory", "MiB", Direction.MINIMIZE),
        ("trainable_parameters", "parameters", Direction.MINIMIZE),
    ],
)
def test_a_measure_brings_its_unit_and_direction(
    measure: str, unit: str, direction: Direction
) -> None:
    spec = system(measure)
    assert (spec.unit, spec.direction) == (unit, direction)
    assert SystemObjectiveSpec.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize("measure", ["latency", "tokens_per_s"])
@pytest.mark.parametrize("direction", list(Direction))
def test_what_is_said_stands(measure: str, direction: Direction) -> None:
    spec = system(measure, direction=direction.value, unit="")
    assert (spec.direction, spec.unit) == (direction, "")


def test_a_file_and_a_stored_spec_say_the_same() -> None:
    text = (
        "name: x\nobjectives:\n  - {name: a, type: length}\n"
        "  - {name: b, type: system, measure: tokens_per_s, range: [0, 300]}\n"
    )
    spec = load_spec_text(text, "job.yaml")
    assert spec.objectives[1] == system("tokens_per_s", name="b", range=(0.0, 300.0))
    assert TypeAdapter(SweepSpec).validate_json(spec.model_dump_json()) == spec


def test_no_training_moves_a_system_cost() -> None:
    length = LengthObjectiveSpec(type="length", name="a")
    assert unmoved([system("memory"), length, system("latency")]) == (0, 2)
    assert unmoved([length]) == ()
