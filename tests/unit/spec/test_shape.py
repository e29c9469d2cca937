from __future__ import annotations

from typing import get_args

import pytest

from paretoflow.spec.shape import (
    FAMILIES,
    annotation_at,
    description_at,
    family,
    homes_of,
    models_of,
    nearest,
    path_of,
    variants,
)
from paretoflow.spec.sweep import SweepSpec

ROOT = {
    "method": {"type": "dpo", "dual": {"every": 0}, "dpo": 3},
    "model": {"type": "embedded", "lora": {"targets": [1]}},
    "objectives": [{"type": "length", "name": "a"}],
}


def test_every_tagged_union_of_the_root_is_a_family():
    def is_family(annotation):
        return bool(models_of(annotation)) or any(map(models_of, get_args(annotation)))

    found = {key for key, field in SweepSpec.model_fields.items() if is_family(field.annotation)}
    assert found == set(FAMILIES)


def test_a_family_lists_its_tags():
    assert {"dpo", "modpo", "grpo"} <= set(family("method"))
    assert "import" in family("objectives")


@pytest.mark.parametrize(
    ("loc", "path"),
    [
        (("method", "dpo", "dual", "every"), ("method", "dual", "every")),
        (("method", "dpo", "dpo"), ("method", "dpo")),
        (("objectives", 0, "length", "name"), ("objectives", 0, "name")),
        (("model", "embedded", "lora", "targets", "str"), ("model", "lora", "targets")),
        (
            ("model", "embedded", "lora", "targets", "tuple[str, ...]", 0),
            ("model", "lora", "targets", 0),
        ),
        (("name",), ("name",)),
    ],
)
def test_union_tags_are_taken_out_of_a_loc(loc, path):
    assert path_of(loc, ROOT) == path


def test_an_annotation_is_found_through_lists_and_unions():
    assert annotation_at(("objectives", 0, "name"), ROOT) is str
    assert annotation_at(("stop", "stagnation", "runs"), {"stop": {"stagnation": {}}}) is int
    assert annotation_at(("nowhere", "x"), ROOT) is None


def test_a_description_is_the_first_sentence_of_the_field():
    runs = "Number of runs to launch, including failed ones"
    assert description_at(("stop", "runs"), ROOT) == runs
    assert description_at(("method", "beta"), ROOT).startswith("KL coefficient")
    assert description_at(("stop", "x"), ROOT) == ""


def test_every_field_of_every_model_says_what_it_is():
    found = set()

    def find(annotation):
        for model in variants(annotation) + sum(map(variants, get_args(annotation)), ()):
            if model not in found:  # a proposer may hold proposers
                found.add(model)
                for field in model.model_fields.values():
                    find(field.annotation)

    find(SweepSpec)
    for model in found:
        silent = [n for n, f in model.model_fields.items() if n != "type" and not f.description]
        assert silent == [], model


def test_a_key_is_found_elsewhere():
    assert homes_of("worker_groups") == ("engine",)
    assert homes_of("generations")[0] == "method (type grpo)"
    assert homes_of("pattern") == ("objectives (type regex)",)
    assert homes_of("zzz") == ()


def test_the_nearest_name_ignores_case_and_dashes():
    assert nearest("Learning-Rate", ["learning_rate", "steps"]) == "learning_rate"
    assert nearest("zzz", ["learning_rate"]) is None
