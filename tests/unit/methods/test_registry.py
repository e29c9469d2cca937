"""The tables of the family agree, and stay light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.methods import TAGS
from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.methods import DpoMethodSpec, GrpoMethodSpec, MethodSpec, ModpoMethodSpec

ROOT = Path(__file__).parents[3]


def test_spec_code_and_capabilities_know_the_same_tags():
    members = get_args(get_args(MethodSpec)[0])
    tags = {get_args(member.model_fields["type"].annotation)[0] for member in members}
    assert tags == set(TAGS) == set(CAPABILITIES)


def test_every_table_entry_names_a_class_after_its_tag_in_a_module_of_a_family():
    for tag, path in TAGS.items():
        module, name = path.split(":")
        assert name == "".join(part.title() for part in tag.split("_")) + "Method"
        assert module.count(".") == 3, module
        source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        assert f"class {name}(" in source or f"class {name}:" in source


def test_the_family_imports_without_torch():
    code = "import sys, paretoflow.methods; assert not {'torch', 'trl', 'peft'} & set(sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.train
@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (DpoMethodSpec(batch_size=8, gradient_accumulation=3), "method.gradient_accumulation"),
        (
            ModpoMethodSpec(type="modpo", batch_size=2, gradient_accumulation=4),
            "method.gradient_accumulation",
        ),
        (GrpoMethodSpec(type="grpo", batch_size=6, generations=4), "method.batch_size"),
    ],
)
def test_knobs_that_contradict_each_other_are_refused(spec, field, tiny_lm):
    from paretoflow.methods import build
    from tests.method_bench import make_context

    with pytest.raises(SpecError) as caught:
        build(spec, make_context(tiny_lm))
    assert caught.value.where == field


@pytest.mark.train
def test_grpo_refuses_to_sample_at_temperature_zero(tiny_lm):
    from dataclasses import replace

    from paretoflow.methods import build
    from paretoflow.spec.models import GenerationSpec
    from tests.method_bench import make_context

    context = replace(make_context(tiny_lm), generation=GenerationSpec(temperature=0))
    with pytest.raises(SpecError, match="temperature 0"):
        build(GrpoMethodSpec(type="grpo"), context)
