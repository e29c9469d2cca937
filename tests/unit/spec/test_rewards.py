"""The YAML of `paretoflow train-reward`: what it takes, and how it says what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.spec.rewards_load import load_reward_spec
from tests.faults import raises

GOOD = """\
pairs:
  - {path: a.jsonl, objective: full}
  - {path: b.parquet}
model: {lora: {rank: 4}}
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jsonl", "b.parquet"):
        Path(name).write_text("", encoding="utf-8")


def load(text: str, *overrides: str):
    Path("r.yaml").write_text(text, encoding="utf-8")
    return load_reward_spec(Path("r.yaml"), overrides)


def test_values_and_overrides() -> None:
    spec = load(GOOD, "steps=7", "model.lora=null", "groups.count=3", "pairs.0.objective=null")
    assert (spec.steps, spec.model.lora, spec.pairs[0].objective) == (7, None, None)
    assert spec.groups is not None
    assert spec.groups.count == 3
    assert load(GOOD).model.lora.rank == 4


@pytest.mark.parametrize(
    ("line", "place", "told", "hint"),
    [
        ("stepz: 3", "r.yaml:5:1", "unknown key `stepz`; allowed: pairs", "did you mean `steps`?"),
        ("steps: 0", "r.yaml:5:8", "got 0; allowed: at least 1", "Optimiser steps"),
        ("weighting: mor", "r.yaml:5:12", "got 'mor'; allowed: 'sum' or 'more'", "this is"),
        ("columns: {promt: x}", "r.yaml:5:11", "unknown key `promt`", "`prompt`?"),
        ("groups: {count: 2}", "r.yaml:2:32", "groups are to be found", "keep one"),
        ("outputs: separate\nweighting: more", "r.yaml:6:12", "share nothing", "outputs: heads"),
        ("gradient_accumulation: 3", "r.yaml:5:24", "3 passes cannot share", "divisor"),
    ],
    ids=lambda v: v if ":" in v else "",
)
def test_a_fault_has_its_place(line: str, place: str, told: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(GOOD + line)
    (fault,) = caught.value.faults
    assert fault.where.startswith(place)
    assert told in fault.what
    assert hint in fault.hint


def test_files_that_are_missing_or_of_another_kind() -> None:
    with pytest.raises(SpecError) as caught:
        load("pairs:\n  - {path: c.jsonl}\n  - {path: a.csv}\n")
    missing, other = caught.value.faults
    assert missing.what == "there is no file 'c.jsonl'"
    assert "allowed: a file that ends in .jsonl, .jsonl.gz, .parquet" in other.what


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("steps", "allowed: key=value"),
        ("steps=[", "got the value '['"),
        ("steps.x=1", "no mapping at `steps`"),
        ("model.lora.rankk=1", "unknown key `rankk`; allowed: rank"),
    ],
)
def test_an_override_that_leads_nowhere(override: str, told: str) -> None:
    text = GOOD + "steps: 3\n"
    with pytest.raises(SpecError) as caught:
        load(text, override)
    assert told in caught.value.what
    assert caught.value.where.startswith("--set")


@pytest.mark.parametrize("text", ["", "- a", "pairs: []", "pairs:", "steps: 3"])
def test_no_pairs_are_a_fault(text: str) -> None:
    with pytest.raises(SpecError):
        load(text)


@pytest.mark.parametrize(
    ("lora", "code", "said"),
    [
        ("{modules_to_save: [norm]}", "spec-contradiction", "modules_to_save"),
        ("{peft: {r: 4}}", "spec-not-allowed", "model.lora.rank"),
    ],
)
def test_an_adapter_has_only_the_forms_that_can_be_merged_beside_the_head(lora, code, said):
    with raises(code, said):
        load(GOOD.replace("{rank: 4}", lora))
    assert load(GOOD.replace("{rank: 4}", "{dora: true, rslora: true}")).model.lora.dora
