"""The README cannot rot: its verbs, paths and Python names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from paretoflow.cli.main import VERBS
from paretoflow.spec.load import load_spec_text

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_its_line(verb: str) -> None:
    assert f"`paretoflow {verb}`" in README


def test_every_verb_that_is_shown_exists() -> None:
    shown = set(re.findall(r"^\$ paretoflow (\w+)", README, re.MULTILINE))
    assert shown
    assert shown <= set(VERBS)


def test_every_path_that_is_named_exists() -> None:
    named = set(re.findall(r"[`(]((?:tests|jobs|paretoflow)/[\w./]+?)[`)]", README))
    assert len(named) > 5
    missing = [path for path in named if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize(
    "text", re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
)
def test_every_yaml_that_is_shown_is_one(text: str) -> None:
    shown = yaml.safe_load(text)
    others = [{"name": n, "type": "length"} for n in ("one", "two")]
    shown["objectives"] = [*shown.get("objectives", []), *others]
    spec = load_spec_text(yaml.safe_dump({"name": "shown", **shown}), "README.md")
    assert len(spec.objectives) >= 2


@pytest.mark.parametrize("key", ["model", "tracking"])
def test_a_key_that_is_shown_in_a_sentence_is_one(key: str) -> None:
    (text,) = re.findall(rf"`({key}: [{{\[].*?)`", README)
    shown = {"name": "shown", "objectives": [{"name": n, "type": "length"} for n in ("a", "b")]}
    assert load_spec_text(yaml.safe_dump(shown | yaml.safe_load(text)), "README.md")


def test_the_make_targets_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`make ([\w-]+)|^\$ make ([\w-]+)", README, re.MULTILINE))
    for target in {code or line for code, line in targets}:
        rule = rf"^(?:[\w-]+ )*{re.escape(target)}(?: [\w-]+)*:"
        assert re.search(rule, makefile, re.MULTILINE), target


def test_nothing_was_left_to_fill_in() -> None:
    assert not re.search(r"\b[A-Z]+_(OUTPUT|TABLE)\b", README)
    jobs = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "jobs").glob("*.yaml"))
    assert "TO-BE-MEASURED" not in jobs
