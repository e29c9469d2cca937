from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from paretoflow.objectives.reward_model import RewardModel
from paretoflow.rewards.backbone import embedded_differences, load_backbone
from paretoflow.rewards.pairs import read_pairs
from paretoflow.spec.objectives import RewardModelObjectiveSpec
from tests.classifiers import save_encoder
from tests.faults import raises

pytestmark = pytest.mark.train


def _scores(folder: Path, pairs: Any) -> Any:
    spec = RewardModelObjectiveSpec(type="reward_model", name="r", path=str(folder), max_length=64)
    model = RewardModel(spec, "cpu")
    prompts = [p.prompt for p in pairs]
    chosen = model.score_all(prompts, [p.chosen for p in pairs], 4)
    return chosen - model.score_all(prompts, [p.rejected for p in pairs], 4)


def test_an_adapter_is_merged_into_what_is_saved(make_spec: Any, tmp_path: Path) -> None:
    spec = make_spec()
    backbone = load_backbone(spec, ("full", "brief"))
    trained = [n for n, p in backbone.model.named_parameters() if p.requires_grad]
    assert any("lora_A" in n for n in trained)
    assert backbone.head.weight.requires_grad
    with torch.no_grad():
        for name, parameter in backbone.model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.05)
        backbone.head.weight.copy_(torch.arange(64.0).reshape(2, 32) / 64)
    pairs = read_pairs(spec)
    by_hand = embedded_differences(backbone, pairs) @ backbone.head.weight.double().numpy(
        force=True
    ).T.astype(np.float64)
    backbone.save(tmp_path / "saved")
    np.testing.assert_allclose(_scores(tmp_path / "saved", pairs), by_hand, atol=1e-4)


def test_an_encoder_takes_heads_too(make_spec: Any, tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "bert")  # its own head has one output
    spec = make_spec(model={"path": str(folder), "device": "cpu", "lora": None})
    backbone = load_backbone(spec, ("one",))
    pairs = read_pairs(spec)
    differences = embedded_differences(backbone, pairs)
    assert differences.shape == (22, 16)
    backbone.save(tmp_path / "saved")
    weight = backbone.head.weight.detach().double().numpy()
    np.testing.assert_allclose(
        _scores(tmp_path / "saved", pairs), differences @ weight.T, atol=1e-5
    )


def test_the_seed_decides_the_heads(make_spec: Any) -> None:
    state = torch.random.get_rng_state()
    first, again, other = (load_backbone(make_spec(seed=s), ("a", "b")) for s in (0, 0, 1))
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_base_that_is_none(make_spec: Any, tmp_path: Path) -> None:
    with raises("model-unreadable", "loaded") as caught:
        load_backbone(make_spec(model={"path": str(tmp_path), "device": "cpu"}), ("a",))
    assert caught.value.where == str(tmp_path)
    model = make_spec().model.model_dump()
    astray = make_spec(model=model | {"lora": {"targets": ["nothing_like_it"]}})
    with raises("model-unreadable", "loaded"):
        load_backbone(astray, ("a",))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(make_spec: Any) -> None:
    with raises("model-no-gpu", "GPU"):
        load_backbone(make_spec(model={"device": "cuda"}), ("a",))
