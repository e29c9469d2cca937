"""The tables of the family agree, and stay light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

from paretoflow.methods import TAGS
from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.methods import MethodSpec

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
