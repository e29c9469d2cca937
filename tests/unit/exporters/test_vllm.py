"""The command for vLLM is run against a stand-in that writes down what it was called with."""

from __future__ import annotations

import dataclasses
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from paretoflow.core.ids import digest_of_folder
from paretoflow.core.views import SweepView
from paretoflow.exporters import exporter_of
from paretoflow.exporters.verify import verify_export
from paretoflow.exporters.vllm import serve_command
from tests.faults import raises
from tests.views import changed, measured, two_objectives

STAND_IN = """#!/bin/sh
pwd
for word in "$@"; do printf '%s\\n' "$word"; done
"""


def exported(view: SweepView, out: Path) -> Path:
    exporter_of("vllm").export(view, out, lambda: b"picture", force=False)
    return out


def with_model(view: SweepView, **model: Any) -> SweepView:
    return dataclasses.replace(view, spec={**view.spec, "model": model})


def called(out: Path, tmp_path: Path, *options: str, **env: str) -> list[str]:
    """Run serve.sh from elsewhere; return the folder it runs in and the words vllm was given."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "vllm").write_text(STAND_IN)
    (tools / "vllm").chmod(0o755)
    path = f"{tools}:/usr/bin:/bin"
    done = subprocess.run(
        [str(out / "serve.sh"), *options],
        cwd=tmp_path,
        env={"PATH": path, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_script_serves_every_adapter_from_any_folder(tmp_path: Path) -> None:
    view = two_objectives(tmp_path / "sweep")
    out = exported(view, tmp_path / "a place's; name" / "out")
    folder, *words = called(out, tmp_path, "--max-loras", "2")
    assert folder == str(out)
    names = [p.snapshot_id for p in view.front.points]
    assert words == [
        *("serve", "./base", "--served-model-name", "paretoflow-embedded", "--enable-lora"),
        *("--max-lora-rank", "16", "--max-loras", "5", "--max-cpu-loras", "5", "--lora-modules"),
        *(f"{name}=adapters/{name}" for name in names),
        *("--max-loras", "2"),
    ]
    for name in names:
        assert (out / "adapters" / name / "adapter_model.safetensors").is_file()
    assert (out / "base" / "config.json").is_file()


def test_the_card_shows_the_same_command_and_says_what_was_not_run(tmp_path: Path) -> None:
    out = exported(two_objectives(tmp_path / "sweep"), tmp_path / "out")
    card = (out / "README.md").read_text()
    command = (out / "serve.sh").read_text().split("exec ")[1].removesuffix(' "$@"\n')
    assert f"```console\n{command}\n```" in card
    assert "**vLLM was not run on this folder" in card
    assert "in steps of 0.01" in card


def test_a_pretrained_base_is_named_as_the_spec_does(tmp_path: Path) -> None:
    view = with_model(
        two_objectives(tmp_path / "sweep"),
        type="pretrained",
        path="org/it's a model",
        revision="abc",
        dtype="bfloat16",
        trust_remote_code=True,
    )
    out = exported(view, tmp_path / "out")
    words = called(out, tmp_path)[2:]
    assert words[:9] == [
        "org/it's a model",
        *("--served-model-name", "org/it's a model", "--dtype", "bfloat16"),
        *("--revision", "abc", "--trust-remote-code", "--enable-lora"),
    ]
    assert not (out / "base").exists()


def test_a_base_in_a_folder_is_wherever_its_owner_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine" / "base").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for k, place in enumerate(("mine/base", str(tmp_path / "mine" / "base"), "./mine/base")):
        view = two_objectives(tmp_path / f"sweep{k}")
        out = exported(with_model(view, type="pretrained", path=place), tmp_path / f"out{k}")
        words = called(out, tmp_path, BASE="/srv/a base")[2:]
        assert words[:3] == ["/srv/a base", "--served-model-name", "base"]
        assert not [p for p in out.rglob("*") if p.is_file() and b"mine" in p.read_bytes()]
        assert "export BASE=" in (out / "README.md").read_text()
    with pytest.raises(subprocess.CalledProcessError) as refused:
        called(out, tmp_path)
    assert "set BASE to the folder of the base model" in refused.value.stderr


@pytest.mark.parametrize(("rank", "asked"), [(1, 8), (16, 16), (17, 32), (300, 512)])
def test_the_rank_is_rounded_up_to_one_that_vllm_takes(rank: int, asked: int) -> None:
    assert f"--max-lora-rank {asked} " in serve_command(["base"], ["a"], rank)


def test_what_vllm_cannot_serve_is_refused(tmp_path: Path) -> None:
    with raises("model-export", "rank 512"):
        serve_command(["base"], ["a"], 513)
    view = two_objectives(tmp_path / "sweep")
    bare = tuple(changed(p, path="", digest="") for p in view.front.points)
    simulated = dataclasses.replace(view, front=dataclasses.replace(view.front, points=bare))
    with raises("model-export", "vLLM"):
        exported(simulated, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_adapter_that_is_no_lora_is_refused(tmp_path: Path) -> None:
    view = two_objectives(tmp_path / "sweep")
    point = view.front.points[0]
    config = Path(view.root) / point.path / "adapter_config.json"
    config.write_text('{"peft_type": "IA3"}')
    other = changed(point, digest=digest_of_folder(config.parent))
    front = dataclasses.replace(view.front, points=(other, *view.front.points[1:]))
    with raises("model-export", "LoRA"):
        exported(dataclasses.replace(view, front=front), tmp_path / "out")


def test_the_base_on_the_front_is_routed_to_by_its_served_name(tmp_path: Path) -> None:
    view = measured(two_objectives(tmp_path / "sweep"))
    row = dataclasses.replace(
        view.evaluations[0],
        scores=np.array([0.9, 33.0]),
        prompt_scores=view.evaluations[0].prompt_scores + np.array([[0.59], [0.0]]),
    )
    base = changed(
        view.front.points[0],
        snapshot_id="base",
        run_id="base",
        kind="base",
        scores=row.scores,
        path="",
        digest="",
        proposal=None,
        weights=None,
    )
    kept = [p for p in view.front.points if p.scores[1] < 33]
    front = dataclasses.replace(view.front, points=(base, *kept))
    rows = (row, *(e for e in view.evaluations[1:] if e.scores[1] < 33))
    out = exported(
        measured(dataclasses.replace(view, front=front, evaluations=rows)), tmp_path / "out"
    )
    routing = json.loads((out / "routing.json").read_text())
    assert routing["table"][-1] == {"prefer": [1.0, 0.0], "model": "paretoflow-embedded"}
    assert routing["models"]["paretoflow-embedded"] == {"coverage": 0.9, "length": 33.0}
    assert len(pq.read_table(out / "routing.parquet")) == len(routing["table"]) == 101
    assert verify_export(out).adapters == len(kept)


def with_data(view: SweepView, data: dict[str, Any], **generation: Any) -> SweepView:
    model = {"type": "embedded", "generation": generation}
    return dataclasses.replace(view, spec={**view.spec, "data": data, "model": model})


def request_in(out: Path) -> tuple[str, dict[str, Any]]:
    """Return where the request of the card goes, and what it says."""
    card = (out / "README.md").read_text()
    place = card.split("localhost:8000/v1/")[1].split(" ")[0]
    words = shlex.split(card.split("-d ", 1)[1].split("\n```")[0])
    told: dict[str, Any] = json.loads(words[0])
    return place, told


def test_plain_prompts_are_asked_for_as_they_were_scored(tmp_path: Path) -> None:
    data = {"type": "jsonl", "path": "x.jsonl", "template": "Q: {question}\nA:"}
    view = with_data(
        two_objectives(tmp_path / "sweep"),
        data,
        temperature=0.3,
        top_p=0.8,
        max_new_tokens=33,
        stop=["\n\n"],
    )
    out = exported(view, tmp_path / "out")
    routing = json.loads((out / "routing.json").read_text())
    place, request = request_in(out)
    assert place == routing["endpoint"] == "completions"
    drawn = {"temperature": 0.3, "top_p": 0.8, "top_k": -1, "max_tokens": 33, "stop": ["\n\n"]}
    assert drawn.items() <= routing["request"].items()
    assert routing["request"].items() <= request.items()
    assert request["prompt"] == "Q: {question}\nA:"
    assert request["add_special_tokens"] is True
    assert routing["asked"]["prompt"] == {"form": "plain", "template": "Q: {question}\nA:"}
    assert "noise of its own" in routing["asked"]["seeds"]
    assert list(routing)[-1] == "table"


def test_chats_are_asked_for_as_chats(tmp_path: Path) -> None:
    data = {"type": "jsonl", "path": "x.jsonl", "columns": {"messages": "turns"}}
    out = exported(with_data(two_objectives(tmp_path / "sweep"), data), tmp_path / "out")
    place, request = request_in(out)
    assert place == "chat/completions"
    assert request["messages"] == [{"role": "user", "content": "…"}]
    assert "prompt" not in request
    assert "add_special_tokens" not in request


def test_a_point_with_its_own_temperature_says_so_in_its_rows(tmp_path: Path) -> None:
    view = two_objectives(tmp_path / "sweep")
    first = changed(view.front.points[0], condition={"temperature": 0.2})
    front = dataclasses.replace(view.front, points=(first, *view.front.points[1:]))
    out = exported(dataclasses.replace(view, front=front), tmp_path / "out")
    rows = json.loads((out / "routing.json").read_text())["table"]
    own = [row for row in rows if row["model"] == first.adapter_name]
    assert own
    assert all(row["request"] == {"temperature": 0.2} for row in own)
    assert not any("request" in row for row in rows if row not in own)


@pytest.mark.parametrize(
    "condition",
    [
        {"head_weights": {"coverage": 0.5, "length": 0.5}},
        {"select": {"type": "rps", "k": 1, "draws": [{"head_weights": {"coverage": 1.0}}]}},
    ],
)
def test_a_point_that_is_another_model_is_refused(
    tmp_path: Path, condition: dict[str, Any]
) -> None:
    view = two_objectives(tmp_path / "sweep")
    point = changed(view.front.points[1], condition=condition)
    front = dataclasses.replace(view.front, points=(point,))
    with raises("model-export", "head_weights"):
        exported(dataclasses.replace(view, front=front), tmp_path / "out")
    assert not (tmp_path / "out").exists()
