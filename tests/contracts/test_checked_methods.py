"""What `check` lets through is a method that can be built, and that trains its first step.

Some methods once refused settings only when they were built, when the base had been loaded and its
answers were sampled and scored; here are random settings of every method, which the rules let pass.
"""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from paretoflow.core.errors import NonFiniteLossError, SpecError
from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.load import load_spec_text
from tests.fuzz.specs import METHODS, Drawing
from tests.method_bench import train, weighted

if TYPE_CHECKING:
    from paretoflow.methods.training.context import MethodContext
    from paretoflow.spec.sweep import SweepSpec

pytestmark = pytest.mark.train
TAGS = sorted(tag for tag, can in CAPABILITIES.items() if can.kind != "program")
TRAINED = ("bco", "dpa", "dpo", "gradient_dpo", "grpo", "ipo_md", "lipo", "meet")
"""One of each trainer; the others are trained by `make test-full`."""
SMALL: dict[str, Any] = {"steps": 1, "samples": 2, "rounds": 0, "bins": 3, "serve": {"points": 2}}
"""What would make a run long, and not wrong."""
OBJECTIVES = [{"name": name, "type": "regex", "keywords": ["x"], "range": [0, 1]} for name in "abc"]
WEIGHTS = (weighted(1, 0, 0), weighted(0, 0.5, 0.5), weighted(0.2, 0.3, 0.5))


def passing(tag: str, rng: Random) -> SweepSpec:
    """Return a sweep with random settings of a method, base and adapter, as the rules let pass."""
    draw, fields = Drawing(rng), METHODS[tag].model_fields
    while True:
        held = {"type": tag} | {key: value for key, value in SMALL.items() if key in fields}
        held["batch_size"] = rng.choice([2, 4, 6, 8])
        model = {
            "type": "embedded",
            "lora": {"rank": rng.choice([1, 3]), "targets": rng.choice(["all-linear", ["q_proj"]])},
            "generation": {
                "max_new_tokens": rng.choice([1, 4]),
                "temperature": rng.choice([0, 1e-4, 1, 3]),
                "top_p": rng.choice([1, 1e-9]),
            },
        }
        method = draw.model(METHODS[tag], held)
        plain = {"name": tag, "method": method, "model": model, "objectives": OBJECTIVES}
        try:
            return load_spec_text(json.dumps(plain), f"{tag}.yaml")
        except SpecError:
            continue


def surroundings(context: MethodContext, spec: SweepSpec) -> MethodContext:
    return replace(context, lora=spec.model.lora, generation=spec.model.generation)


@pytest.mark.parametrize("tag", TAGS)
def test_every_method_that_check_lets_through_can_be_built(tag, context):
    from paretoflow.methods import build

    rng = Random(tag)
    for _ in range(3):
        spec = passing(tag, rng)
        assert build(spec.method, surroundings(context, spec))


@pytest.mark.parametrize(
    "tag", [pytest.param(t, marks=() if t in TRAINED else pytest.mark.full) for t in TAGS]
)
def test_every_method_that_check_lets_through_trains_its_first_step(tag, context, tmp_path):
    rng = Random(f"{tag} trains")
    spec = passing(tag, rng)
    try:
        run = train(surroundings(context, spec), spec.method, rng.choice(WEIGHTS), tmp_path)
    except NonFiniteLossError:
        return  # a rate of learning may be anything
    assert run.checkpoints[-1].final
