"""Valid results of a program, and refusals by name."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.errors import UserError
from paretoflow.methods.external.result import ProgramCheckpoint, read_result
from tests.faults import raises

NAMES = ("coverage", "length")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        (folder / name / "adapter_model.safetensors").write_bytes(b"")
    return folder


def read(output: Path, answer: Any) -> tuple[ProgramCheckpoint, ...]:
    file = output.parent / "result.json"
    file.write_text(answer if isinstance(answer, str) else json.dumps(answer))
    return read_result(file, output, NAMES, steps=40)


def test_one_folder_is_enough(output):
    assert read(output, {"folder": "a"}) == (ProgramCheckpoint(40, output / "a", 0, {}, None),)
    (saved,) = read(output, {"schema_version": 1, "folder": "a", "step": 7, "tokens": 9})
    assert (saved.step, saved.tokens) == (7, 9)


def test_several_checkpoints_come_by_step_with_what_was_measured(output):
    scores = {"length": 20, "coverage": {"mean": 0.5, "stderr": 0.1}}
    answer = [
        {"step": 5, "folder": "a", "tokens": 3, "metrics": {"loss": 0.4}},
        {"step": 9, "folder": str(output / "b"), "scores": scores},
    ]
    first, second = read(output, {"checkpoints": answer})
    assert (first.step, first.tokens, first.metrics, first.given) == (5, 3, {"loss": 0.4}, None)
    assert second.folder == output / "b"
    assert second.given.scores.tolist() == [0.5, 20.0]
    assert second.given.stderr[0] == 0.1
    assert math.isnan(second.given.stderr[1])
    assert second.given.prompt_scores.tolist() == [[0.5], [20.0]]


def test_scores_of_prompts_give_mean_and_error_by_hand(output):
    # mean 2, deviations -1 0 1: variance 1, over sqrt(3)
    scores = {"coverage": {"prompt_scores": [1, 2, 3]}, "length": {"prompt_scores": [4, 4, 4]}}
    (saved,) = read(output, {"folder": "a", "scores": scores})
    assert saved.given.scores.tolist() == [2.0, 4.0]
    assert saved.given.stderr == pytest.approx([1 / math.sqrt(3), 0.0])
    assert np.array_equal(saved.given.prompt_scores, [[1, 2, 3], [4, 4, 4]])


GOOD = {"coverage": 0.5, "length": 3.0}
FAULTS = {
    "no JSON": ("{'folder'", "the result is no JSON: Expecting property name"),
    "empty": ("", "the result is no JSON"),
    "no object": ("[1]", "the result's the whole: Input should be"),
    "nothing in it": ({}, "the result's checkpoints.0.folder: Field required"),
    "no checkpoint": ({"checkpoints": []}, "the result's checkpoints: List should have at least 1"),
    "a newer form": ({"schema_version": 2, "folder": "a"}, "schema_version: Input should be 1"),
    "a misspelt key": ({"folder": "a", "token": 3}, "checkpoints.0.token: Extra inputs"),
    "a text for a step": ({"folder": "a", "step": "3"}, "checkpoints.0.step: Input should be a"),
    "a step below one": ({"folder": "a", "step": 0}, "greater than or equal to 1"),
    "steps that fall": (
        {"checkpoints": [{"step": 3, "folder": "a"}, {"step": 3, "folder": "b"}]},
        "got the steps [3, 3]; allowed: growing ones",
    ),
    "no such folder": ({"folder": "c"}, "there is no folder 'c' in"),
    "a folder above": ({"folder": "../output2"}, "allowed: one inside"),
    "a folder elsewhere": ({"folder": "/etc"}, "got the folder '/etc' at step 40; allowed: one in"),
    "an objective too few": (
        {"folder": "a", "scores": {"length": 3.0}},
        "got scores of length; allowed: of every objective and nothing else: coverage, length",
    ),
    "an unknown objective": ({"folder": "a", "scores": {**GOOD, "humor": 1}}, "length, humor"),
    "a score that is no number": (
        {"folder": "a", "scores": {**GOOD, "length": "3"}},
        "the result's checkpoints.0.scores.length",
    ),
    "a nan score": (
        {"folder": "a", "scores": {**GOOD, "coverage": math.nan}},
        "the score of coverage is not finite",
    ),
    "an infinite score of a prompt": (
        {
            "folder": "a",
            "scores": {
                "coverage": {"prompt_scores": [1, 2]},
                "length": {"prompt_scores": [math.inf, 1]},
            },
        },
        "the score of length is not finite",
    ),
    "prompts of one objective only": (
        {"folder": "a", "scores": {**GOOD, "length": {"prompt_scores": [3, 3]}}},
        "got [1, 2] prompt scores; allowed: as many for every objective",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_wrong_answer_is_refused_by_name(case, output):
    answer, said = FAULTS[case]
    with pytest.raises(UserError) as caught:
        read(output, answer)
    assert said in caught.value.what
    assert caught.value.where == str(output.parent / "result.json")
    assert caught.value.hint


def test_no_answer_is_refused(output):
    with raises("usage-result", "result"):
        read_result(output / "nowhere.json", output, NAMES, 1)


@pytest.mark.parametrize("where", ["folder", "file"])
def test_a_link_may_not_lead_out(where, output, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "adapter_config.json").write_text("{}")
    if where == "folder":
        (output / "c").symlink_to(elsewhere)
    else:
        (output / "c").mkdir()
        (output / "c" / "adapter_config.json").symlink_to(elsewhere / "adapter_config.json")
    with raises("usage-result", "output", "inside"):
        read(output, {"folder": "c"})
    (output / "latest").symlink_to(output / "a")
    assert read(output, {"folder": "latest"})[0].folder == output / "a"


def test_a_metric_that_is_not_finite_is_a_run_that_blew_up(output):
    answer = {"folder": "a", "metrics": {"loss": math.nan, "margin": 1.0}}
    with raises("training-not-finite", "step 40"):
        read(output, answer)
