"""A sweep on a base with an adapter merged into it: what is exported answers as it was scored."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from paretoflow.cli.main import main
from paretoflow.core.errors import AdapterError
from paretoflow.engine.session.exported import exported_subject
from tests.faults import raises
from tests.unit.engine.small_sweep import small_sweep
from tests.unit.lm.test_start_adapter import logits, trained_adapter

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def sweep(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a finished sweep of one run, whose start adapter is gone from its first place."""
    import paretoflow
    from paretoflow.spec.sweep import SweepSpec
    from tests.benchmarks.methods.inline import run_inline

    home = tmp_path_factory.mktemp("started")
    sft = trained_adapter(tiny_base_dir, home / "sft")
    plain = small_sweep("started", tiny_base_dir, home, {"type": "dpo", "steps": 4})
    document = plain.model_dump(mode="json")
    document["model"]["adapter"] = str(sft)
    document["method"] |= {"batch_size": 4, "learning_rate": 0.02}
    document["proposer"] = {"type": "lattice"}
    run_inline(SweepSpec.model_validate(document))
    shutil.rmtree(sft)
    return paretoflow.open_sweep(home / "started")


@pytest.fixture(scope="module")
def wanted(sweep: Any, tiny_base_dir: Path) -> Any:
    """Return the logits of the trained point as it was scored."""
    from paretoflow.lm.adapters import adapter_on
    from paretoflow.lm.base import load_folder
    from paretoflow.lm.start_adapter import started

    lm = load_folder(tiny_base_dir, name=str(tiny_base_dir))
    lm = started(lm, sweep.root.local / "start_adapter")
    with adapter_on(lm, adapter_of(sweep)) as model:
        return logits(lm, model)


def adapter_of(sweep: Any) -> Path:
    (point,) = [p for p in sweep.view().front.points if p.path]
    return Path(sweep.root.local, point.path)


def exported(sweep: Any, out: Path, format: str) -> Path:
    from paretoflow.exporters import exporter_of

    view = sweep.view()
    assert any(p.path for p in view.front.points), "the trained point must be on the front"
    exporter_of(format).export(view, out, lambda: b"picture", force=False)
    return out


def test_a_runs_own_record_says_what_it_starts_from(sweep: Any) -> None:
    from paretoflow.lm.start_files import start_digest

    record = json.loads((adapter_of(sweep) / "base.json").read_text())
    assert record["start"] == start_digest(sweep.root.local / "start_adapter")


def test_the_merged_base_of_an_export_for_vllm_with_its_adapter_is_what_was_scored(
    sweep: Any, wanted: Any, tiny_base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the export's own program, with transformers and PEFT alone."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out = exported(sweep, tmp_path / "served", "vllm")
    merged = tmp_path / "merged"
    monkeypatch.chdir(out)
    monkeypatch.setenv("BASE", str(tiny_base_dir))
    monkeypatch.setattr(sys, "argv", ["merge_base.py", str(merged)])
    runpy.run_path("merge_base.py")
    assert "${MERGED_BASE:?" in (out / "serve.sh").read_text()
    routing = json.loads((out / "routing.json").read_text())
    assert routing["base_model"] == "base"
    (adapter,) = (out / "adapters").iterdir()
    base = AutoModelForCausalLM.from_pretrained(merged)
    model = PeftModel.from_pretrained(base, str(adapter)).eval()
    ids = AutoTokenizer.from_pretrained(merged)
    found = logits(type("lm", (), {"tokenizer": ids}), model)
    assert torch.equal(found, wanted)


def test_the_lines_of_a_folders_card_load_what_was_scored(
    sweep: Any, wanted: Any, tiny_base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    out = exported(sweep, tmp_path / "front", "folder")
    card = (out / "README.md").read_text()
    code = card.split("```python\n")[1].split("```")[0].split("\nprompt =")[0]
    assert "merge_and_unload" in code
    monkeypatch.chdir(out)
    monkeypatch.setenv("BASE", str(tiny_base_dir))
    known: dict[str, Any] = {}
    exec(code.replace('dtype="float32"', "dtype=torch.float32"), known)
    found = logits(type("lm", (), {"tokenizer": known["tokenizer"]}), known["model"])
    assert torch.equal(found, wanted)
    config = json.loads(next((out / "adapters").rglob("adapter_config.json")).read_text())
    assert config["base_model_name_or_path"] is None
    assert main(["verify", str(out)]) == 0


def test_an_export_is_scored_again_on_its_own_copy(
    sweep: Any, tiny_base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretoflow.engine.runtime.loaded import loaded_base

    out = exported(sweep, tmp_path / "front", "folder")
    monkeypatch.setenv("BASE", str(tiny_base_dir))
    subject = exported_subject(out, own_data=True)
    record = json.loads((adapter_of(sweep) / "base.json").read_text())
    assert loaded_base(subject.spec).digest == record["digest"]


def test_a_changed_or_lost_start_is_refused(sweep: Any, tmp_path: Path) -> None:
    kept = sweep.root.local / "start_adapter"
    aside = kept.with_name("aside")
    kept.rename(aside)
    try:
        with raises("adapter-gone", str(kept)):
            exported(sweep, tmp_path / "a", "folder")
        shutil.copytree(aside, kept)
        config = json.loads((kept / "adapter_config.json").read_text())
        text = json.dumps(config | {"lora_alpha": 1})
        (kept / "adapter_config.json").write_text(text)
        with pytest.raises(AdapterError, match="not the one of the runs"):
            exported(sweep, tmp_path / "b", "vllm")
        assert not (tmp_path / "b").exists()
    finally:
        shutil.rmtree(kept)
        aside.rename(kept)


def test_pick_prints_how_to_load_it(sweep: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from paretoflow.exporters.base_model import base_of
    from paretoflow.exporters.hub_card import hub_base

    base = base_of(sweep.view())
    assert (base.start, base.name, base.recorded) == ("start_adapter", "base", None)
    assert hub_base({"type": "pretrained", "path": "org/name", "adapter": "sft"}) is None
    for preferred in ("brevity=1", "vowels=1"):
        assert main(["pick", str(sweep.root.local), "--prefer", preferred]) == 0
    shown = capsys.readouterr().out
    assert f'from_pretrained(base, "{sweep.root.local}/start_adapter").merge_and_unload' in shown
