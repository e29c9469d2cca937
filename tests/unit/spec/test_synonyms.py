"""Words of other libraries lead to our keys, all of which exist."""

from __future__ import annotations

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.shape import FAMILIES, family, homes_of
from paretoflow.spec.synonyms import KEYS, NOTES, TAGS, advice_on, plain, type_for

GOOD = """
name: j
objectives:
  - {name: a, type: length, range: [0, 60], ref: 60}
  - {name: b, type: rouge, range: [0, 1], ref: 0}
"""


def faults_of(text: str) -> dict[str, str]:
    """Return the hint of each fault by where it stands."""
    with pytest.raises(SpecError) as told:
        load_spec_text(text, "j.yaml")
    return {fault.where.rpartition(" ")[2]: fault.hint for fault in told.value.faults}


@pytest.mark.parametrize("place", sorted({p for places in KEYS.values() for p in places}))
def test_every_place_exists(place):
    home, _, key = place.rpartition(".")
    homes = [found.split(" (")[0] for found in homes_of(key)]
    assert any(found.endswith(home) for found in homes)


@pytest.mark.parametrize("name", TAGS)
def test_every_type_exists_and_no_other_name_is_one(name):
    assert name in FAMILIES
    assert set(TAGS[name].values()) <= set(family(name))
    assert not set(TAGS[name]) & set(family(name))


def test_words_are_spelt_as_they_are_looked_up_and_stand_in_one_table():
    assert all(word == plain(word) for table in (KEYS, NOTES, *TAGS.values()) for word in table)
    assert not KEYS.keys() & NOTES.keys()


@pytest.mark.parametrize(
    ("key", "allowed", "advice"),
    [
        ("lr", ["learning_rate", "dual"], "write `learning_rate`"),
        ("lr", ["name", "method"], "write `method.learning_rate`"),
        ("--Per-Device-Train-Batch-Size", ["steps"], "write `method.batch_size`"),
        ("num_generations", ["train", "candidates"], "write `candidates`"),
        ("num_generations", ["name"], "write `method.generations` or `data.candidates`"),
        ("model", ["name", "path"], "write `path`"),
        ("model", ["runs", "hours"], ""),
        ("zzz", ["runs"], ""),
    ],
)
def test_advice(key, allowed, advice):
    assert advice_on(key, allowed) == advice


def test_a_type_of_another_library():
    assert type_for("data", "Hugging-Face") is None
    assert type_for("data", "HuggingFace") == "hub"
    assert type_for("engine", "ray") is None


def test_hints_in_a_yaml():
    hints = faults_of(
        GOOD
        + "lr: 1e-3\noutput_dir: x\nmethod: {type: ppo, top_k: 3}\nproposer: {type: random}\n"
        + "engine: {num_workers: 2}\nmodel: {type: hf, path: x}\n"
    )
    assert hints["lr"] == "write `method.learning_rate`"
    assert hints["output_dir"] == "write `storage`"
    assert hints["engine.num_workers"] == "write `worker_groups`"
    assert hints["method.type"] == "did you mean `grpo`?"
    assert hints["proposer.type"] == "did you mean `dirichlet`?"
    assert hints["model.type"] == "did you mean `pretrained`?"


def test_a_reward_model_is_named_by_its_path():
    hints = faults_of(GOOD + "  - {name: c, type: reward_model, model: x}\n")
    assert hints["objectives.c.model"] == "write `path`"


def test_checkpointing_and_top_k_are_answered_where_they_stand():
    hints = faults_of(
        GOOD + "model: {type: embedded, gradient_checkpointing: true, generation: {top_k: 4}}\n"
    )
    assert "method.trainer" in hints["model.gradient_checkpointing"]
    assert "top_p" in hints["model.generation.top_k"]
