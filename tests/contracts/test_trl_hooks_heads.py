"""TRL's and PEFT's private ways that the methods with heads lean on."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import pytest

from tests.method_bench import make_context

pytestmark = pytest.mark.train


@pytest.fixture
def headed(tiny_lm) -> Any:
    from paretoflow.lm.adapters import fresh_adapter, unload
    from paretoflow.methods.conditioned.heads import head_options

    context = make_context(tiny_lm)
    options = head_options(tiny_lm, context.lora, 3)
    model = fresh_adapter(tiny_lm, context.lora, 0, options)
    yield model
    unload(model)


def test_the_loss_has_the_signature_that_is_overridden():
    from trl import DPOTrainer

    parameters = list(inspect.signature(DPOTrainer._compute_loss).parameters)
    assert parameters == ["self", "model", "inputs", "return_outputs"]


def test_trl_asks_for_the_output_layer_and_refuses_an_adapter_on_it(headed, tiny_lm, tmp_path):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    from paretoflow.lm.adapters import known_warnings_silenced

    config = DPOConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none")
    rows = Dataset.from_dict({"prompt": ["a"], "chosen": ["b"], "rejected": ["c"]})
    with known_warnings_silenced(), pytest.raises(ValueError, match="adapter to `lm_head`"):
        DPOTrainer(
            model=headed, args=config, train_dataset=rows, processing_class=tiny_lm.tokenizer
        )
    vars(tiny_lm.model).pop("forward", None)


def test_peft_warns_of_an_adapter_on_a_tied_output_layer_in_these_words(tiny_lm):
    from peft import LoraConfig, get_peft_model

    from paretoflow.lm.adapters import unload

    config = LoraConfig(target_modules=["lm_head"], task_type="CAUSAL_LM")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = get_peft_model(tiny_lm.model, config)
    unload(model)
    words = [str(w.message) for w in caught if w.category is UserWarning]
    assert tiny_lm.model.config.tie_word_embeddings
    assert len(words) == 1
    assert words[0].startswith("Model has `tie_word_embeddings=True`")


def test_the_output_layers_lora_runs_through_the_module_that_is_gated(headed):
    from peft.tuners.lora import Linear, LoraLayer

    layer = headed.get_output_embeddings()
    assert isinstance(layer, LoraLayer)
    assert "lora_B(lora_A(dropout(x))) * scaling" in inspect.getsource(Linear.forward)
    assert layer.scaling["default"] == pytest.approx(8 / 12)


def test_gradients_are_made_where_meet_drops_those_that_are_not_its_turn():
    from transformers import Trainer
    from trl import SFTTrainer

    parameters = list(inspect.signature(Trainer.training_step).parameters)
    assert parameters == ["self", "model", "inputs", "num_items_in_batch"]
    own = inspect.getsource(SFTTrainer.training_step)
    assert "super().training_step(" in own
    assert "accelerator.backward(" in inspect.getsource(Trainer.training_step)
