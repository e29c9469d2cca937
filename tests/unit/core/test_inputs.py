from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest

from paretoflow.core.errors import ChangedInputsError
from paretoflow.core.ids import digest_of
from paretoflow.core.inputs import Inputs, changes, joined, require_same
from tests.faults import raises


def prompts(*texts: str) -> str:
    return joined(digest_of(text) for text in texts)


INPUTS = Inputs(
    prompts={"train": prompts(*"abcdef"), "eval": prompts(*"xyz")},
    files={
        "model.path": {"model.safetensors": "1", "tokenizer.json": "2"},
        "objectives.vowels": {"the source of my_scores.py": "3"},
    },
    values={"model.generation.temperature": "0.9", "objectives.vowels.kwargs": '{"k":1}'},
    versions={"torch": "2.13.0+cpu", "trl": "1.16.2"},
    names={"data.path": "d.jsonl", "model.path": "tiny"},
)


def changed(**fields: Any) -> Inputs:
    return replace(INPUTS, **fields)


def in_files(**files: dict[str, str]) -> Inputs:
    return changed(files={**INPUTS.files, **{k.replace("_", ".", 1): v for k, v in files.items()}})


STOPS = {
    "a prompt": (
        changed(prompts={**INPUTS.prompts, "eval": prompts(*"xyw")}),
        "data.path d.jsonl: 1 of 3 eval prompts differ",
    ),
    "prompts of two sets": (
        changed(prompts={"train": prompts(*"abcdeg"), "eval": prompts(*"uvw")}),
        "data.path d.jsonl: 3 of 3 eval prompts differ, 1 of 6 train prompts differ",
    ),
    "fewer prompts": (
        changed(prompts={**INPUTS.prompts, "train": prompts(*"abcd")}),
        "data.path d.jsonl: 2 of 6 train prompts differ",
    ),
    "order": (
        changed(prompts={**INPUTS.prompts, "eval": prompts(*"yxz")}),
        "data.path d.jsonl: the eval prompts stand in another order",
    ),
    "weights": (
        in_files(model_path={"model.safetensors": "9", "tokenizer.json": "2"}),
        "model.path tiny: model.safetensors changed",
    ),
    "files come and go": (
        in_files(model_path={"model.safetensors": "1", "chat_template.jinja": "4"}),
        "model.path tiny: chat_template.jinja is new, tokenizer.json is gone",
    ),
    "a scorer's source": (
        in_files(objectives_vowels={"the source of my_scores.py": "4"}),
        "objectives.vowels: the source of my_scores.py changed",
    ),
    "many files": (
        in_files(model_path={f"{i}.safetensors": "1" for i in range(7)}),
        "model.path tiny: 0.safetensors is new, 1.safetensors is new, 2.safetensors is new, "
        "3.safetensors is new, 4.safetensors is new and 4 more",
    ),
    "a setting": (
        changed(values={**INPUTS.values, "model.generation.temperature": "0.5"}),
        "model.generation.temperature: 0.9 became 0.5",
    ),
    "a setting that was left at its default": (
        changed(values={**INPUTS.values, "model.generation.top_p": "0.5"}),
        "model.generation.top_p: the default became 0.5",
    ),
    "a long setting": (
        changed(values={**INPUTS.values, "objectives.vowels.kwargs": '"' + "k" * 99 + '"'}),
        'objectives.vowels.kwargs: {"k":1} became "' + "k" * 39 + "…",
    ),
    "a minor version": (
        changed(versions={**INPUTS.versions, "trl": "1.17.0"}),
        "version of trl: 1.16.2 became 1.17.0",
    ),
    "a library less": (
        changed(versions={"torch": "2.13.0+cpu"}),
        "version of trl: 1.16.2 became none",
    ),
}
TOLD = {
    "a patch": ({"torch": "2.13.1+cpu"}, "version of torch: 2.13.0+cpu became 2.13.1+cpu"),
    "a build": ({"torch": "2.13.0+cu126"}, "version of torch: 2.13.0+cpu became 2.13.0+cu126"),
    "a post release": ({"trl": "1.16.2.post1"}, "version of trl: 1.16.2 became 1.16.2.post1"),
}


def test_the_same_is_the_same_under_another_name() -> None:
    assert not changes(INPUTS, INPUTS)
    assert not changes(INPUTS, replace(INPUTS, names={"data.path": "moved.jsonl"}))
    assert require_same(INPUTS, replace(INPUTS, names={})).all == ()


@pytest.mark.parametrize("kind", STOPS)
def test_a_change_stops_with_its_name(kind: str) -> None:
    new, words = STOPS[kind]
    assert changes(INPUTS, new).stops == (words,)
    assert new.digest != INPUTS.digest
    with pytest.raises(ChangedInputsError) as caught:
        require_same(INPUTS, new, "sweeps/mini")
    assert words in caught.value.what
    assert caught.value.where == "sweeps/mini"
    assert "--accept-change" in caught.value.hint


@pytest.mark.parametrize("kind", TOLD)
def test_a_patch_of_a_library_is_told_and_stops_nothing(kind: str) -> None:
    versions, words = TOLD[kind]
    new = changed(versions={**INPUTS.versions, **versions})
    found = require_same(INPUTS, new)
    assert (found.stops, found.told) == ((), (words,))
    assert new.digest == INPUTS.digest


def test_several_changes_are_told_one_a_line() -> None:
    new = changed(prompts={**INPUTS.prompts, "eval": prompts(*"xyw")}, values={})
    with raises("changed-inputs", "3 things") as caught:
        require_same(INPUTS, new)
    assert caught.value.what.count("\n  ") == 3
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_they_go_through_the_ledger_as_they_are() -> None:
    plain = json.loads(json.dumps(INPUTS.to_dict()))
    again = Inputs.from_dict(plain)
    assert again is not None
    assert not changes(again, INPUTS)
    assert again.digest == INPUTS.digest
    assert Inputs.from_dict(None) is None
    assert Inputs.from_dict({}) is None


def test_prompts_by_hand_without_a_name_of_the_source() -> None:
    new = replace(INPUTS, names={}, prompts={**INPUTS.prompts, "eval": prompts(*"xy")})
    assert changes(INPUTS, new).stops == ("data: 1 of 3 eval prompts differ",)
