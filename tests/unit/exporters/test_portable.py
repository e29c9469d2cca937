"""No export says where its owner keeps the base, the data or the sweep."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.ids import digest_of_folder
from paretoflow.core.views import SweepView
from paretoflow.exporters import exporter_of
from paretoflow.exporters.base_model import BaseKind, base_of
from paretoflow.exporters.reading import read_manifest
from paretoflow.exporters.verify import verify_export
from tests.faults import raises
from tests.views import changed, measured, two_objectives

TAGS = ["folder", "hub-folder", "vllm", "parquet", "json", "csv", "arrow"]
ADAPTERS = {"folder": "adapters/", "hub-folder": "", "vllm": "adapters/"}
LEAK = "corp-secret"


def evaluated(view: SweepView, config: dict[str, Any], **files: str) -> SweepView:
    """Return the view with adapters of the given configuration and further files."""
    points, digests = [], {}
    for point in view.front.points:
        folder = Path(view.root) / point.path
        text = json.dumps({"peft_type": "LORA", "r": 16, "lora_alpha": 16, **config})
        (folder / "adapter_config.json").write_text(text)
        for name, content in files.items():
            (folder / ".".join(name.rsplit("_", 1))).write_text(content)
        digests[point.snapshot_id] = digest_of_folder(folder)
        points.append(changed(point, digest=digests[point.snapshot_id]))
    rows = tuple(
        dataclasses.replace(e, digest=digests.get(e.snapshot_id, e.digest))
        for e in view.evaluations
    )
    front = dataclasses.replace(view.front, points=tuple(points))
    return dataclasses.replace(view, front=front, evaluations=rows)


def private(tmp_path: Path) -> SweepView:
    view = measured(two_objectives(tmp_path / LEAK / "demo"))
    spec = {
        **view.spec,
        "storage": f"s3://{LEAK}/sweeps",
        "data": {"type": "jsonl", "path": f"/home/{LEAK}/patients.jsonl"},
        "model": {"type": "pretrained", "path": f"/home/{LEAK}/model", "dtype": "bfloat16"},
        "method": {"type": "command", "argv": ["python", f"{LEAK}.py"]},
        "objectives": [
            {"name": "coverage", "type": "import", "path": "a:b", "kwargs": {"api_key": LEAK}}
        ],
    }
    return evaluated(
        dataclasses.replace(view, spec=spec),
        {"base_model_name_or_path": f"/home/{LEAK}/model"},
        base_json=json.dumps({"name": f"/home/{LEAK}/model", "digest": "d" * 64}),
        README_md=f"base_model: /home/{LEAK}/model",
        training_args_bin=f"/home/{LEAK}/runs",
        trainer_state_json=f'{{"best_model_checkpoint": "/home/{LEAK}"}}',
        tokenizer_config_json=f'{{"name_or_path": "/home/{LEAK}", "pad_token": "/"}}',
    )


@pytest.mark.parametrize("tag", TAGS)
def test_no_file_of_an_export_tells_what_is_private(tmp_path: Path, tag: str) -> None:
    out = tmp_path / "out"
    exporter_of(tag).export(private(tmp_path), out, lambda: b"", force=False)
    told = [p.relative_to(out) for p in out.rglob("*") if p.is_file() and LEAK in _text(p)]
    assert told == []
    assert not [p for p in out.rglob("*") if "patients" in _text(p)]
    assert verify_export(out).adapters == (5 if tag in ADAPTERS else 0)
    base = json.loads((out / "manifest.json").read_text())["base"]
    digest = "d" * 64 if tag in ADAPTERS else None
    assert base == {
        "kind": "local", "name": "base", "revision": None, "dtype": "bfloat16", "digest": digest
    }  # fmt: skip


def _text(path: Path) -> str:
    return path.read_bytes().decode("latin-1") if path.is_file() else ""


@pytest.mark.parametrize("tag", sorted(ADAPTERS))
def test_a_rewritten_adapter_is_checked_as_it_is_written(tmp_path: Path, tag: str) -> None:
    view, out = private(tmp_path), tmp_path / "out"
    exporter_of(tag).export(view, out, lambda: b"", force=False)
    point = read_manifest(out).points[0]
    assert point.digest == view.front.points[0].digest
    assert point.served == digest_of_folder(out / f"{point.adapter}")
    config = json.loads((out / f"{point.adapter}" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None
    (out / f"{point.adapter}" / "base.json").write_text("{}")
    with raises("export-damaged", "adapter"):
        verify_export(out)


@pytest.mark.parametrize(
    ("model", "recorded"),
    [
        ({"type": "embedded"}, "paretoflow-embedded"),
        ({"type": "pretrained", "path": "org/model"}, "org/model"),
    ],
)
def test_an_adapter_that_names_its_base_well_is_left_as_it_is(
    tmp_path: Path, model: dict[str, Any], recorded: str
) -> None:
    view = measured(two_objectives(tmp_path / "demo"))
    view = dataclasses.replace(view, spec={**view.spec, "model": model})
    view = evaluated(view, {"base_model_name_or_path": recorded})
    exporter_of("folder").export(view, tmp_path / "out", lambda: b"", force=False)
    manifest = read_manifest(tmp_path / "out")
    assert {p.served for p in manifest.points} == {""}
    for point in manifest.points:
        assert digest_of_folder(tmp_path / "out" / f"{point.adapter}") == point.digest


@pytest.mark.parametrize("path", ["org/model", "gpt2", "/srv/m", "~/m", "../m", "a/b/c", "$M/x"])
def test_what_is_a_folder_and_what_is_on_the_hub(path: str, tmp_path: Path) -> None:
    view = two_objectives(tmp_path / "demo")
    spec = {**view.spec, "model": {"type": "pretrained", "path": path}}
    kind = base_of(dataclasses.replace(view, spec=spec)).kind
    assert kind is (BaseKind.HUB if path in ("org/model", "gpt2") else BaseKind.LOCAL)


def test_a_folder_beside_the_sweeps_is_no_hub_id(tmp_path: Path) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    view = two_objectives(tmp_path / "sweeps" / "demo")
    spec = {**view.spec, "model": {"type": "pretrained", "path": "models/mine"}}
    assert base_of(dataclasses.replace(view, spec=spec)).kind is BaseKind.LOCAL


@pytest.mark.parametrize("tag", sorted(ADAPTERS))
@pytest.mark.parametrize("where", ["adapter", "above", "below", "loop", "pipe"])
def test_what_is_no_plain_file_is_not_followed(tmp_path: Path, tag: str, where: str) -> None:
    view, out = two_objectives(tmp_path / "demo"), tmp_path / "out"
    folder = Path(view.root) / view.front.points[0].path
    if where == "pipe":
        os.mkfifo(folder / "pipe")
    elif where == "loop":
        (folder / "loop").symlink_to(folder / "loop")
    elif where == "below":
        (folder / "sub").mkdir()
        (folder / "sub" / "passwd").symlink_to("/etc/passwd")
    else:
        moved = folder if where == "adapter" else folder.parent
        shutil.move(moved, moved.with_name("moved"))
        moved.symlink_to(moved.with_name("moved"))
    with raises("model-export", "follow"):
        exporter_of(tag).export(view, out, lambda: b"", force=False)
    assert not out.exists()


@pytest.mark.parametrize("tag", TAGS)
def test_whoever_serves_an_export_can_read_it(tmp_path: Path, tag: str) -> None:
    view, out = private(tmp_path), tmp_path / "out"
    for path in Path(view.root).rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    before = os.umask(0o022)
    try:
        exporter_of(tag).export(view, out, lambda: b"", force=False)
    finally:
        os.umask(before)
    for path in (out, *out.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o755 if path.is_dir() or path.name == "serve.sh" else 0o644), path
