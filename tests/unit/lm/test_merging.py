"""Mixes of adapters against their sum written out, PEFT's own, and the faults of parents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from paretoflow.lm.adapters import adapter_on, fresh_adapter, save_adapter, unload
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.lora_files import Factors, LoraAdapter, read_lora, write_lora
from paretoflow.lm.merging import (
    averaged_factors,
    concatenated,
    decomposed,
    inner_products,
    peft_linear,
)
from paretoflow.spec.models import LoraSpec
from tests.faults import raises

pytestmark = pytest.mark.train

CONFIG = {"peft_type": "LORA", "base_model_name_or_path": "tiny", "lora_alpha": 8}


def adapter(
    seed: int, rank: int = 4, scale: float = 2.0, sides: tuple[int, int] = (60, 50)
) -> LoraAdapter:
    draw = torch.Generator().manual_seed(seed)
    modules = {
        name: Factors(
            torch.randn(rank, sides[1], generator=draw),
            torch.randn(sides[0], rank, generator=draw),
            scale,
        )
        for name in ("m.a", "m.b")
    }
    return LoraAdapter(modules, dict(CONFIG), {"name": "tiny", "digest": "d"}, Path(f"p{seed}"))


def summed(parents: Sequence[LoraAdapter], coefficients: Sequence[float], name: str) -> Any:
    deltas = [c * p.modules[name].delta for p, c in zip(parents, coefficients, strict=True)]
    return torch.stack(deltas).sum(dim=0)


def error(mix: LoraAdapter, exact: Any) -> float:
    return float((mix.modules["m.a"].delta - exact).norm() / exact.norm())


def test_stacking_is_the_sum_of_what_the_parents_add_whatever_their_rank_and_alpha() -> None:
    parents = [adapter(0, 4, 2.0), adapter(1, 6, 0.5), adapter(2, 1, 3.0)]
    coefficients = [0.2, 0.7, -0.4]
    mix = concatenated(parents, np.array(coefficients))
    assert {f.rank for f in mix.modules.values()} == {11}
    for name in mix.modules:
        assert torch.allclose(
            mix.modules[name].delta, summed(parents, coefficients, name), atol=1e-4
        )


def test_the_case_of_the_docstring() -> None:
    one = Factors(torch.tensor([[1.0]]), torch.tensor([[2.0]]), 1.0)
    two = Factors(torch.tensor([[2.0]]), torch.tensor([[2.0]]), 0.5)
    parents = [LoraAdapter({"m": f}, dict(CONFIG), {}, Path("p")) for f in (one, two)]
    mix = concatenated(parents, np.array([0.25, 0.75])).modules["m"]
    assert mix.up.tolist() == [[0.5, 0.75]]
    assert mix.delta.tolist() == [[2.0]]


def test_each_module_can_have_coefficients_of_its_own() -> None:
    parents = [adapter(0), adapter(1)]
    mix = concatenated(parents, np.array([[1.0, 0.0], [0.25, 0.75]]))
    assert torch.allclose(mix.modules["m.a"].delta, parents[0].modules["m.a"].delta)
    assert torch.allclose(mix.modules["m.b"].delta, summed(parents, [0.25, 0.75], "m.b"), atol=1e-4)


def test_averages_of_factors_are_far_from_the_sum() -> None:
    parents = [adapter(0), adapter(1)]
    exact = summed(parents, [0.5, 0.5], "m.a")
    half = np.array([0.5, 0.5])
    assert error(concatenated(parents, half), exact) < 1e-6
    assert error(averaged_factors(parents, half), exact) == pytest.approx(0.69, abs=0.08)
    assert error(peft_linear(parents, half), exact) == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize("way", [concatenated, averaged_factors, peft_linear])
def test_one_hot_coefficients_are_that_parent_and_order_does_not_matter(way: Any) -> None:
    parents = [adapter(0), adapter(1), adapter(2)]
    alone = way(parents, np.array([0.0, 1.0, 0.0]))
    assert torch.allclose(alone.modules["m.a"].delta, parents[1].modules["m.a"].delta, atol=1e-4)
    assert alone.modules["m.a"].rank == 4
    mixed = way(parents, np.array([0.5, 0.3, 0.2]))
    turned = way([parents[2], parents[0], parents[1]], np.array([0.2, 0.5, 0.3]))
    assert torch.allclose(mixed.modules["m.b"].delta, turned.modules["m.b"].delta, atol=1e-4)


def test_singular_values_give_the_sum_at_full_rank_and_the_nearest_below() -> None:
    parents = [adapter(0), adapter(1, 6)]
    mix = concatenated(parents, np.array([0.6, 0.4]))
    exact = mix.modules["m.a"].delta
    assert error(decomposed(mix, 10), exact) < 1e-5
    assert error(decomposed(mix, 13), exact) < 1e-5
    assert decomposed(mix, 13).modules["m.a"].rank == 13
    u, s, v = torch.linalg.svd(exact, full_matrices=False)
    nearest = u[:, :3] * s[:3] @ v[:3]
    assert torch.allclose(decomposed(mix, 3).modules["m.a"].delta, nearest, atol=1e-3)


def test_inner_products_are_those_of_what_the_parents_add() -> None:
    parents = [adapter(0), adapter(1, 6, 0.5)]
    deltas = [p.modules["m.b"].delta for p in parents]
    by_hand = [[float((a * b).sum()) for b in deltas] for a in deltas]
    assert inner_products(parents)[1] == pytest.approx(np.array(by_hand), rel=1e-4)


@pytest.mark.parametrize("way", [averaged_factors, peft_linear])
def test_factors_of_other_ranks_cannot_be_averaged(way: Any) -> None:
    with raises("model-merge", "[4", "6]") as caught:
        way([adapter(0), adapter(1, 6)], np.array([0.5, 0.5]))
    assert "cat" in caught.value.hint


def test_factors_of_other_scales_cannot_be_averaged() -> None:
    with raises("model-merge", "/", "[1.0", "2.0]"):
        averaged_factors([adapter(0), adapter(1, scale=1.0)], np.array([0.5, 0.5]))


def test_other_targets_and_other_bases_are_refused_by_name() -> None:
    narrow = adapter(1, sides=(60, 49))
    with raises("model-merge", "2 modules", "m.a") as caught:
        concatenated([adapter(0), narrow], np.ones(2))
    assert caught.value.where == "p1"
    other = LoraAdapter(narrow.modules, dict(CONFIG), {"digest": "e"}, Path("p1"))
    with raises("model-merge", "digest e", "digest d"):
        concatenated([adapter(0), other], np.ones(2))


@pytest.mark.parametrize("wrong", [[0.5], [0.5, np.nan], [[0.5, 0.5]]])
def test_coefficients_of_another_shape_are_refused(wrong: Any) -> None:
    with raises("shape", "coefficient"):
        concatenated([adapter(0), adapter(1)], np.array(wrong))


def test_no_parents_are_refused() -> None:
    with raises("shape", "parent"):
        concatenated([], np.array([]))


@pytest.fixture(scope="module")
def trained(tiny_lm: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two saved adapters of the tiny base, of different rank and alpha."""
    place, folders = tmp_path_factory.mktemp("trained"), []
    for seed, lora in enumerate([LoraSpec(rank=4, alpha=8.0), LoraSpec(rank=2, alpha=8.0)]):
        model = fresh_adapter(tiny_lm, lora, seed)
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(seed)
            for name, tensor in model.named_parameters():
                if "lora_B" in name:
                    tensor.normal_(std=0.2)
        folders.append(place / str(seed))
        save_adapter(model, folders[-1])
        unload(model)
    return folders


def logits(lm: LanguageModel, folder: Path) -> Any:
    ids = torch.arange(3, 23).reshape(2, 10)
    with torch.no_grad(), adapter_on(lm, folder) as model:
        return model(input_ids=ids).logits


def test_a_mix_is_an_ordinary_peft_folder(
    tiny_lm: LanguageModel, trained: list[Path], tmp_path: Path
) -> None:
    parents = [read_lora(folder) for folder in trained]
    write_lora(concatenated(parents, np.array([1.0, 0.0])), tmp_path / "one")
    assert torch.allclose(logits(tiny_lm, tmp_path / "one"), logits(tiny_lm, trained[0]), atol=1e-5)
    write_lora(concatenated(parents, np.array([0.3, 0.7])), tmp_path / "mix")
    assert {p.name for p in (tmp_path / "mix").iterdir()} == {p.name for p in trained[0].iterdir()}
    again = read_lora(tmp_path / "mix")
    assert again.base == parents[0].base
    assert (again.config["r"], again.config["lora_alpha"]) == (6, 6)


def test_stacking_and_linear_are_those_of_peft(
    tiny_lm: LanguageModel, trained: list[Path], tmp_path: Path
) -> None:
    from peft import PeftModel

    ids = torch.arange(3, 23).reshape(2, 10)
    second = tmp_path / "second"
    write_lora(decomposed(read_lora(trained[1]), 4), second)
    parents, weights = [read_lora(trained[0]), read_lora(second)], [0.3, 0.7]
    model = PeftModel.from_pretrained(tiny_lm.model, str(trained[0]), adapter_name="default")
    model.load_adapter(str(second), "second")
    for how, way in (("cat", concatenated), ("linear", peft_linear)):
        model.add_weighted_adapter(["default", "second"], weights, how, combination_type=how)
        model.set_adapter(how)
        with torch.no_grad():
            theirs = model.eval()(input_ids=ids).logits
        ours = way(parents, np.array(weights))
        write_lora(ours, tmp_path / how)
        model.load_adapter(str(tmp_path / how), f"our {how}")
        model.set_adapter(f"our {how}")
        with torch.no_grad():
            assert torch.allclose(model(input_ids=ids).logits, theirs, atol=1e-4)
    unload(model)


def damaged(folder: Path, tmp_path: Path, name: str, text: str | None) -> Path:
    import shutil

    copy = tmp_path / "damaged"
    shutil.copytree(folder, copy)
    (copy / name).unlink()
    if text is not None:
        (copy / name).write_text(text)
    return copy


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("adapter_model.safetensors", None),
        ("adapter_model.safetensors", "torn"),
        ("adapter_config.json", "{"),
        ("adapter_config.json", "[]"),
        ("adapter_config.json", json.dumps({"peft_type": "LORA"})),
        ("adapter_config.json", json.dumps({"peft_type": "LORA", "use_dora": True})),
        ("adapter_config.json", json.dumps({"peft_type": "PROMPT_TUNING", "lora_alpha": 1})),
        ("base.json", "{"),
    ],
)
def test_a_broken_parent_is_named(
    trained: list[Path], tmp_path: Path, name: str, text: str | None
) -> None:
    copy = damaged(trained[0], tmp_path, name, text)
    with raises("model-merge", "merged") as caught:
        read_lora(copy)
    assert caught.value.where == str(copy)
