"""Notes on the objectives, and refusals, before any run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from paretoflow.ledger.tables import Event
from paretoflow.spec.sweep import SweepSpec
from tests.classifiers import save_encoder
from tests.faults import raises
from tests.unit.engine.small_sweep import small_sweep

pytestmark = pytest.mark.train
METHOD = {"type": "dpo", "steps": 1, "batch_size": 2}
NEVER = {"name": "never", "type": "regex", "pattern": "zzzz", "range": [0, 1], "ref": -1}
LENGTH = {"name": "brevity", "type": "length", "range": [0, 1], "ref": 60}


def prepared(base: Path, home: Path, *objectives: dict[str, Any], **method: Any) -> list[Event]:
    from paretoflow.engine.runtime.executor import Executor
    from paretoflow.engine.session.folder import enter_folder, sweep_root

    plain = small_sweep("odd", base, home, METHOD | method).model_dump(mode="json")
    spec = SweepSpec.model_validate(plain | {"objectives": list(objectives)})
    root = sweep_root(spec)
    enter_folder(spec, root)
    return Executor(spec, root, threads=1).prepare()


def test_odd_objectives_are_recorded_with_the_base(tiny_base_dir: Path, tmp_path: Path) -> None:
    reward = save_encoder(tmp_path / "rm")  # 128 positions
    model = {"name": "calm", "type": "reward_model", "path": str(reward)}
    events = prepared(tiny_base_dir, tmp_path, NEVER, LENGTH | {"range": [900, 999]}, model)
    flat, outside, window = sorted(events[-1].payload["notes"], key=lambda n: "calm" in n)
    assert flat.startswith("never is the same for all 12 answers of the base, 0")
    assert "brevity of the base's answers" in outside
    assert window == "objective calm reads 128 tokens, not max_length 1024"
    assert 0 <= events[-1].payload["diagnostics"]["cut_off"] <= 1


def test_a_sweep_with_nothing_to_learn_from_is_refused(tiny_base_dir: Path, tmp_path: Path) -> None:
    other = NEVER | {"name": "other", "pattern": "qqqq"}
    with raises("spec-no-range", "all 12", "never 0"):
        prepared(tiny_base_dir, tmp_path, NEVER, other)


def test_a_base_whose_logits_are_not_finite_is_refused(tiny_base_dir: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny_base_dir, tmp_path / "base"))
    tensors = load_file(folder / "model.safetensors")
    name = "model.layers.1.mlp.down_proj.weight"
    tensors[name] = tensors[name].fill_(3e38)  # each is finite, their sums are not
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with raises("model-not-finite", "token 1"):
        prepared(folder, tmp_path, NEVER, LENGTH)
