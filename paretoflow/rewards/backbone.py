"""The base model of a reward model: load, adapt, embed and save it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from paretoflow.core.errors import ModelError
from paretoflow.core.shown import first_line
from paretoflow.core.values import FloatArray
from paretoflow.embedded import TINY_BASE_DIR
from paretoflow.lm.adapters import lora_options
from paretoflow.lm.folders import require_whole_folder
from paretoflow.lm.targets import targets_of
from paretoflow.lm.whole import (
    LOADING_FAULTS,
    require_tokenizer,
    require_whole_weights,
)
from paretoflow.objectives.reward_model import UNREAD
from paretoflow.objectives.reward_texts import RewardTexts
from paretoflow.rewards.pairs import PreferencePair
from paretoflow.spec.rewards import RewardBaseSpec, RewardSpec

_FRESH = re.compile(r"^(score|classifier|classification_head|logits_proj|summary)\.|pooler\.")
"""Weights that a base may lack: a new head, and the pooler of a masked model."""
_EMBED_BATCH = 16


@dataclass
class Backbone:
    """A sequence classifier in training.

    Args:
        model: With fresh heads; a PEFT model where an adapter is trained.
        head: The linear layer whose outputs are the rewards.
        texts: Turns answers into its inputs.
    """

    model: Any
    head: torch.nn.Linear
    tokenizer: Any
    texts: RewardTexts
    device: str

    def save(self, folder: Path) -> None:
        """Write an ordinary folder for sequence classification, its adapter merged."""
        model = self.model
        if isinstance(model, PeftModel):
            model = model.merge_and_unload()
        model.eval().save_pretrained(str(folder))
        self.tokenizer.save_pretrained(str(folder))


def load_backbone(spec: RewardSpec, names: Sequence[str]) -> Backbone:
    """Load the base with a new output for each name; `spec.seed` sets all random numbers.

    Raises:
        ModelError: If the base cannot be loaded, a GPU is required and none is present, or no
            adapter fits.
    """
    base = spec.model
    place = base.path or str(TINY_BASE_DIR)
    device = device_of(base)
    require_whole_folder(place, place)
    transformers_logging.disable_progress_bar()
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # new heads are intended
    source = {"revision": base.revision or "main", "trust_remote_code": base.trust_remote_code}
    try:
        with torch.random.fork_rng():
            torch.manual_seed(spec.seed)
            tokenizer = AutoTokenizer.from_pretrained(place, **source)
            model, info = AutoModelForSequenceClassification.from_pretrained(
                place,
                output_loading_info=True,
                num_labels=len(names),
                id2label=dict(enumerate(names)),
                label2id={name: i for i, name in enumerate(names)},
                dtype=getattr(torch, base.dtype),
                use_safetensors=True,
                **source,
            )
            require_whole_weights(model, info, place, _FRESH, UNREAD)
            require_tokenizer(model, tokenizer, place)
            _settle_padding(model, tokenizer, place)
            head = _head_of(model, len(names), place)
            model = _adapted(model, head, base)
    except LOADING_FAULTS as error:
        if isinstance(error, ModelError):
            raise
        hint = "name a hub id or folder with safetensors; a classifier's outputs must match"
        raise ModelError(
            f"the base cannot be loaded: {first_line(error)}", place, hint, code="model-unreadable"
        ) from error
    finally:
        transformers_logging.set_verbosity(verbosity)
    model.to(device)
    texts = RewardTexts(model, tokenizer, spec.max_length)
    return Backbone(model, _trained_head(model, head), tokenizer, texts, device)


def embedded_differences(backbone: Backbone, pairs: Sequence[PreferencePair]) -> FloatArray:
    """Return the head's input for chosen minus that for rejected answers, shape (n, d)."""
    texts = backbone.texts
    flat = [texts.text(p.prompt, answer) for p in pairs for answer in (p.chosen, p.rejected)]
    rows = [texts.encoded(text) for text in flat]
    found: list[torch.Tensor] = []

    def keep(_: Any, inputs: tuple[torch.Tensor], __: Any) -> None:
        found.append(inputs[0].detach())

    embeddings = []
    hook = backbone.head.register_forward_hook(keep)
    backbone.model.eval()
    try:
        for start in range(0, len(rows), _EMBED_BATCH):
            padded = texts.padded(rows[start : start + _EMBED_BATCH])
            inputs = {k: torch.tensor(v, device=backbone.device) for k, v in padded.items()}
            with torch.no_grad():
                backbone.model(**inputs)
            embeddings.append(_read_by_the_head(found.pop(), inputs["input_ids"], texts.pad_id))
    finally:
        hook.remove()
    whole = torch.cat(embeddings).double().cpu().numpy()
    differences: FloatArray = np.asarray(whole[0::2] - whole[1::2])
    return differences


def _read_by_the_head(seen: torch.Tensor, ids: torch.Tensor, pad_id: int | None) -> torch.Tensor:
    """Return the vector that each text's reward is read from, shape (b, d).

    A decoder puts its head on every token and takes the last that is not padding.
    """
    if seen.dim() == 2:
        return seen
    places = torch.arange(ids.shape[1], device=ids.device)
    last = (places * (ids != pad_id)).argmax(-1)
    return seen[torch.arange(len(seen), device=ids.device), last]


def device_of(base: RewardBaseSpec) -> str:
    """Return the device of the base.

    Raises:
        ModelError: If a GPU is required and none is present.
    """
    if base.device == "cuda" and not torch.cuda.is_available():
        what = "model.device is cuda, but torch sees no GPU"
        raise ModelError(what, base.path or "", "use device: auto or cpu", code="model-no-gpu")
    if base.device != "auto":
        return base.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _settle_padding(model: Any, tokenizer: Any, place: str) -> None:
    """Ensure that there is a padding token and that the model's configuration names it."""
    config = model.config.get_text_config()
    if config.pad_token_id is None or config.pad_token_id < 0:
        own = tokenizer.pad_token_id
        config.pad_token_id = tokenizer.eos_token_id if own is None else own
    if config.pad_token_id is None:
        what = "the tokenizer has neither a padding nor an end-of-text token"
        raise ModelError(
            what, place, "set pad_token in tokenizer_config.json", code="model-tokenizer"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(config.pad_token_id)


def _head_of(model: Any, outputs: int, place: str) -> str:
    """Return the name of the last linear layer with as many outputs as there are rewards."""
    linear = [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer.out_features == outputs
    ]
    if not linear:
        raise ModelError(
            "the model has no linear head", place, "name another model", code="model-unsupported"
        )
    return linear[-1]


def _adapted(model: Any, head: str, base: RewardBaseSpec) -> Any:
    if base.lora is None:
        return model
    lora = base.lora
    config = LoraConfig(
        **lora_options(lora)
        | {
            "target_modules": targets_of(model, lora, base.path or str(TINY_BASE_DIR)),
            "modules_to_save": [head.partition(".")[0]],
            "task_type": "SEQ_CLS",
        },
    )
    return get_peft_model(model, config)


def _trained_head(model: Any, head: str) -> torch.nn.Linear:
    """Return the head that is trained: with an adapter, the copy of it that PEFT trains."""
    found: torch.nn.Linear
    if not isinstance(model, PeftModel):
        found = model.get_submodule(head)
        return found
    first, _, rest = head.partition(".")
    path = f"base_model.model.{first}.modules_to_save.default" + (f".{rest}" if rest else "")
    found = model.get_submodule(path)
    return found
