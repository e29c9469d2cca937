"""A sweep goes on as it began, although defaults have changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from paretoflow.engine.read.stored_spec import SPEC_FILE, read_spec
from paretoflow.engine.session.folder import drawn_as_begun, enter_folder
from paretoflow.spec.former import METHODS, NESTED, as_begun, going_on
from paretoflow.spec.methods import MethodSpec, units_of
from paretoflow.spec.methods.aggregators import AggregationSpec
from paretoflow.spec.shape import tag_of, variants
from paretoflow.spec.sweep import SweepSpec

OBJECTIVES = [
    {
        "name": name,
        "type": "length",
        "direction": direction,
        "unit": "words",
        "range": [0, 60],
        "ref": 0 if direction == "maximize" else 60,
    }
    for name, direction in (("long", "maximize"), ("short", "minimize"))
]


def sweep(method: dict[str, Any]) -> SweepSpec:
    return SweepSpec.model_validate({"name": "s", "objectives": OBJECTIVES, "method": method})


def older(spec: SweepSpec, **former: Any) -> dict[str, Any]:
    """Return the stored form of a spec as an earlier version wrote it: some keys missing."""
    plain = json.loads(json.dumps(spec.model_dump(mode="json")))
    plain["method"] = {k: v for k, v in plain["method"].items() if k != "standardise"} | former
    return plain


TAGS = {tag_of(model): model for model in variants(MethodSpec)}
AGGREGATION_TAGS = {tag_of(model): model for model in get_args(AggregationSpec)}


@pytest.mark.parametrize(
    ("models", "former"), [(TAGS, METHODS), (AGGREGATION_TAGS, NESTED["aggregation"])]
)
def test_the_tables_name_keys_whose_default_is_another_now(models, former):
    for tag, keys in former.items():
        now = models[tag].model_validate({"type": tag})
        assert all(getattr(now, key) != value for key, value in keys.items()), tag


def test_an_aggregation_goes_on_as_it_began():
    spec = sweep({"type": "grpo", "aggregation": "pama"})
    plain = older(spec, aggregation={"type": "pama", "noon": True, "weighted": False})
    kept = going_on(spec, as_begun(plain)).method
    assert (kept.aggregation.levels, kept.aggregation.weighted) == ("advantages", False)
    assert kept.standardise == "global"
    asked = {"type": "pama", "weighted": True}
    other = going_on(sweep({"type": "grpo", "aggregation": asked}), as_begun(plain)).method
    assert (other.aggregation.levels, other.aggregation.weighted) == ("advantages", True)
    assert going_on(sweep({"type": "grpo"}), as_begun(plain)).method.aggregation.type != "pama"


def test_a_key_that_a_stored_spec_lacks_stands_for_what_was_done_then():
    begun = as_begun(older(sweep({"type": "dpo"})))
    assert begun["method"]["standardise"] == "global"
    assert SweepSpec.model_validate(begun).method.standardise == "global"


def test_a_signal_that_was_not_named_is_the_one_of_then():
    spec = sweep({"type": "lipo", "early_stop": {}})
    assert (spec.method.early_stop.signal, spec.method.early_stop.evaluations) == ("mass", 1)
    plain = older(spec, early_stop={"after_frac": 0.1, "evaluations": 2, "drop": 0.2})
    kept = going_on(spec, as_begun(plain)).method.early_stop
    assert (kept.signal, kept.evaluations) == ("entropy_and_mass", 2)
    none = going_on(spec, as_begun(older(spec, early_stop=None))).method.early_stop
    assert none == spec.method.early_stop


def test_a_yaml_that_says_nothing_goes_on_as_the_sweep_began():
    spec = sweep({"type": "modpo"})
    assert spec.method.labels == "soft"
    begun = as_begun(older(spec, labels="hard"))
    assert going_on(spec, begun).method.labels == "hard"
    # what it says itself counts, and is refused further on if it is something else
    assert going_on(sweep({"type": "modpo", "labels": "soft"}), begun).method.labels == "soft"


def test_only_former_defaults_are_kept_and_only_of_the_same_method():
    spec = sweep({"type": "grpo"})
    other = older(spec, standardise="none")
    assert going_on(spec, other) == spec  # taken out of the YAML: a change, to be refused
    assert going_on(spec, as_begun(older(sweep({"type": "dpo"})))) == spec


def test_running_an_old_yaml_again_meets_its_own_sweep(tmp_path):
    spec = sweep({"type": "modpo", "steps": 7})
    (tmp_path / SPEC_FILE).write_text(json.dumps(older(spec, labels="hard")))
    again = drawn_as_begun(spec, tmp_path)
    assert again.method.labels == "hard"
    enter_folder(again, tmp_path)
    assert read_spec(tmp_path)["method"]["labels"] == "hard"


@pytest.mark.parametrize("proposer", [{"type": "auto"}, {"type": "reevaluate", "of": "auto"}])
def test_a_sweep_of_the_default_proposer_goes_on_with_the_rule_it_began_with(
    proposer: dict[str, Any], tmp_path: Path
) -> None:
    spec = SweepSpec.model_validate({"name": "s", "objectives": OBJECTIVES, "proposer": proposer})
    enter_folder(spec, tmp_path)
    assert drawn_as_begun(spec, tmp_path) == spec
    stored = json.loads((tmp_path / SPEC_FILE).read_text())
    del stored["proposer"].get("of", stored["proposer"])["lead"]
    (tmp_path / SPEC_FILE).write_text(json.dumps(stored))
    old = drawn_as_begun(spec, tmp_path).proposer
    assert getattr(old, "of", old).lead == 0
    stored["proposer"].get("of", stored["proposer"])["lead"] = 12
    (tmp_path / SPEC_FILE).write_text(json.dumps(stored))
    later = drawn_as_begun(spec, tmp_path).proposer
    assert getattr(later, "of", later).lead == 12
    said = SweepSpec.model_validate(
        {"name": "s", "objectives": OBJECTIVES, "proposer": {"type": "auto", "lead": 3}}
    )
    assert said.proposer == drawn_as_begun(said, tmp_path).proposer


def test_units_are_those_of_the_method_and_global_for_a_program():
    assert units_of(sweep({"type": "dpo", "standardise": "none"}).method) == "none"
    assert units_of(sweep({"type": "rloo"}).method) == "prompt"
    assert units_of(sweep({"type": "command", "argv": ["x"]}).method) == "global"
