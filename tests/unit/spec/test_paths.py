from __future__ import annotations

from pathlib import Path

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.engine.session.folder import enter_folder, sweep_root
from paretoflow.engine.session.resume import load_sweep_spec
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.paths import expanded, written_out
from paretoflow.spec.positions import Fault
from paretoflow.spec.rewards_load import load_reward_spec
from tests.faults import raises

ENV = {"HOME": "/home/me", "DATA": "/data", "RUN_1": "r1"}
OBJECTIVES = """
objectives:
  - {name: a, type: length}
  - {name: b, type: regex, keywords: [x]}
"""


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WORK", str(tmp_path))
    monkeypatch.delenv("NOT_SET", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("$HOME/sweeps", "/home/me/sweeps"),
        ("${DATA}/x.jsonl", "/data/x.jsonl"),
        ("$DATA-old/${RUN_1}_$RUN_1", "/data-old/r1_r1"),
        ("~", "/home/me"),
        ("~/a~b", "/home/me/a~b"),
        ("s3://bucket/$RUN_1", "s3://bucket/r1"),
        ("a/~/b", "a/~/b"),
        ("cash$$flow/$1/$", "cash$flow/$1/$"),
        ("owner/name", "owner/name"),
        ("~root", "/root"),
    ],
)
def test_paths_are_written_out(text: str, written: str) -> None:
    assert expanded(text, ENV) == written


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("$NOT_SET/x", "the variable NOT_SET is not set"),
        ("a/${NOT_SET}", "the variable NOT_SET is not set"),
        ("~no-such-user-here/x", "no such home folder is known"),
    ],
)
def test_what_cannot_be_written_out_is_told(text: str, what: str) -> None:
    found = expanded(text, ENV)
    assert isinstance(found, Fault)
    assert what in found.what
    assert repr(text) in found.what


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert isinstance(expanded("$EMPTY/sweeps", {"EMPTY": ""}), Fault)


def test_one_rule_for_every_path(surroundings: Path) -> None:
    (surroundings / "rows.jsonl").write_text("{}")
    (surroundings / "model").mkdir()
    (surroundings / "model" / "config.json").write_text("{}")
    text = (
        "name: x\nstorage: ~/sweeps\ndata: {type: jsonl, path: $WORK/rows.jsonl}\n"
        "model: {type: pretrained, path: '${WORK}/model'}\n"
        "tracking: [{type: tensorboard, folder: $WORK/tb}]\n"
        'method: {type: command, argv: ["~/bin/train", "$WORK/t.py", "cost $5", "{request}"]}'
        + OBJECTIVES
        + "  - {name: c, type: reward_model, path: ~/model}\n"
    )
    spec = load_spec_text(text, "job.yaml").model_dump(mode="json")
    here = str(surroundings)
    assert spec["storage"] == f"{here}/sweeps"
    assert spec["data"]["path"] == f"{here}/rows.jsonl"
    assert spec["model"]["path"] == spec["objectives"][2]["path"] == f"{here}/model"
    assert spec["tracking"][0]["folder"] == f"{here}/tb"
    argv = [f"{here}/bin/train", f"{here}/t.py", "cost $5", "{request}"]
    assert spec["method"]["argv"] == argv


def test_sources_of_pairs_and_ratings_are_paths_too(surroundings: Path) -> None:
    (surroundings / "a.jsonl").write_text("{}")
    text = "name: x\ndata: {type: preferences, sources: [{path: $WORK/a.jsonl}, {path: o/n}]}"
    spec = load_spec_text(text + OBJECTIVES, "job.yaml").model_dump(mode="json")
    paths = [source["path"] for source in spec["data"]["sources"]]
    assert paths == [f"{surroundings}/a.jsonl", "o/n"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("storage: $NOT_SET/x", "job.yaml:2:10 storage"),
        ("data: {type: jsonl, path: ~/$NOT_SET}", "job.yaml:2:27 data.path"),
        (
            "data: {type: preferences, sources: [{path: a/b}, {path: $NOT_SET}]}",
            "job.yaml:2:57 data.sources.1.path",
        ),
        ("model: {type: pretrained, path: $NOT_SET}", "job.yaml:2:33 model.path"),
        ("method: {type: command, argv: [$NOT_SET/x]}", "job.yaml:2:32 method.argv.0"),
    ],
)
def test_a_variable_that_is_not_set_is_told_where_it_stands(text: str, place: str) -> None:
    with pytest.raises(SpecError, match="the variable NOT_SET is not set") as caught:
        load_spec_text(f"name: x\n{text}{OBJECTIVES}", "job.yaml")
    assert place in str(caught.value)


def test_options_are_written_out_too(surroundings: Path) -> None:
    spec = load_spec_text(f"name: x{OBJECTIVES}", "job.yaml", storage="$WORK/s")
    assert spec.storage == f"{surroundings}/s"
    spec = load_spec_text(f"name: x{OBJECTIVES}", "job.yaml", ["storage=$WORK/t"])
    assert spec.storage == f"{surroundings}/t"


def test_a_stored_spec_is_not_written_out_again(surroundings: Path) -> None:
    text = (
        f"name: x\nstorage: sweeps\ntracking: [{{type: tensorboard, folder: $$WORK}}]{OBJECTIVES}"
    )
    spec = load_spec_text(text, "job.yaml")
    enter_folder(spec, sweep_root(spec))
    again = load_sweep_spec(sweep_root(spec))
    assert again.model_dump()["tracking"] == spec.model_dump()["tracking"]


def test_paths_of_reward_training_are_written_out(surroundings: Path) -> None:
    (surroundings / "pairs.jsonl").write_text("{}")
    job = surroundings / "rewards.yaml"
    job.write_text("pairs: [{path: $WORK/pairs.jsonl, objective: a}]\noutput: ~/out\n")
    spec = load_reward_spec(job)
    assert (spec.pairs[0].path, spec.output) == (
        f"{surroundings}/pairs.jsonl",
        f"{surroundings}/out",
    )
    job.write_text(job.read_text().replace("~/out", "$NOT_SET/out"))
    with raises("spec-variable", "rewards.yaml:2:9", "NOT_SET"):
        load_reward_spec(job)


def test_a_storage_given_in_python_is_written_out(surroundings: Path) -> None:
    assert written_out("$WORK/s", "storage") == f"{surroundings}/s"
    with raises("spec-variable", "NOT_SET"):
        written_out("$NOT_SET/s", "storage")
