"""Mixtures of experts as bases: they train, and what is saved answers as what was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from paretoflow.core.errors import ModelError
from paretoflow.lm.adapters import adapter_on, fresh_adapter, unload
from paretoflow.lm.base import load_folder
from paretoflow.spec.models import LoraSpec
from tests.method_bench import make_context, plain_dpo, train, weighted
from tests.tiny_models import save_model

pytestmark = pytest.mark.train

FORMS: dict[str, dict[str, Any]] = {
    "MixtralForCausalLM": {"num_local_experts": 4},
    "Qwen3MoeForCausalLM": {"num_experts": 4, "moe_intermediate_size": 32, "head_dim": 16},
    "OlmoeForCausalLM": {"num_experts": 4},
    "Qwen2MoeForCausalLM": {
        "num_experts": 4,
        "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 32,
    },
    "DeepseekV3ForCausalLM": {
        "n_routed_experts": 4,
        "moe_intermediate_size": 32,
        "n_group": 1,
        "topk_group": 1,
        "first_k_dense_replace": 1,
        "q_lora_rank": 16,
        "kv_lora_rank": 16,
        "qk_rope_head_dim": 8,
        "qk_nope_head_dim": 8,
        "v_head_dim": 16,
    },
}
QUICK = ("MixtralForCausalLM", "DeepseekV3ForCausalLM")
"""Forms that `make test` trains; `make test-full` trains them all."""
CHOSEN = {"num_experts_per_tok": 2}


@pytest.mark.parametrize(
    "kind",
    [*QUICK, *(pytest.param(kind, marks=pytest.mark.full) for kind in FORMS if kind not in QUICK)],
)
def test_a_mixture_of_experts_trains_and_its_adapter_answers_alike_once_loaded(
    kind: str, tiny_base_dir: Path, tmp_path: Path
) -> None:
    folder = save_model(kind, tiny_base_dir, tmp_path / "base", **FORMS[kind], **CHOSEN)
    lm = load_folder(folder, name=kind)
    ids = torch.arange(3, 23)[None]
    with torch.no_grad():
        base = lm.model(input_ids=ids).logits
    seen: list[torch.Tensor] = []

    def look(checkpoint: Any) -> None:
        with torch.no_grad():
            seen.append(checkpoint.model.eval()(input_ids=ids).logits)

    spec = plain_dpo(type="dpo", steps=2, batch_size=4, learning_rate=1e-2)
    (tmp_path / "runs").mkdir()
    trained = train(make_context(lm), spec, weighted(1, 0, 0), tmp_path / "runs", report=look)
    assert not torch.allclose(seen[-1], base, atol=1e-3)
    with adapter_on(lm, trained.checkpoints[-1].folder) as model, torch.no_grad():
        assert torch.allclose(model(input_ids=ids).logits, seen[-1], atol=1e-5)
    with torch.no_grad():
        assert torch.equal(lm.model(input_ids=ids).logits, base)


@pytest.mark.parametrize(
    ("targets", "told"),
    [(("w1", "w2", "w3"), "down_proj"), (("q_proj", "gate"), "gate.weight"), (".*w2", "down_proj")],
)
def test_targets_inside_of_experts_are_refused_and_the_base_is_as_before(
    targets: str | tuple[str, ...], told: str, tiny_base_dir: Path, tmp_path: Path
) -> None:
    kind = "MixtralForCausalLM"
    folder = save_model(kind, tiny_base_dir, tmp_path / "base", **FORMS[kind], **CHOSEN)
    lm = load_folder(folder, name="experts")
    names = [name for name, _ in lm.model.named_modules()]
    lora = LoraSpec(rank=4, targets=targets)
    with pytest.raises(ModelError, match=told) as caught:
        fresh_adapter(lm, lora, 0)
    assert "model.lora.targets" in caught.value.hint
    assert [name for name, _ in lm.model.named_modules()] == names
    assert lora.ranks == {}


@pytest.mark.filterwarnings("ignore:The following")
def test_a_foreign_adapter_on_experts_comes_off_whole(tiny_base_dir: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    kind = "Qwen3MoeForCausalLM"
    folder = save_model(kind, tiny_base_dir, tmp_path / "base", **FORMS[kind], **CHOSEN)
    lm = load_folder(folder, name="experts")
    names = [name for name, _ in lm.model.named_modules()]
    unload(get_peft_model(lm.model, LoraConfig(r=2, target_modules="all-linear")))
    assert [name for name, _ in lm.model.named_modules()] == names
