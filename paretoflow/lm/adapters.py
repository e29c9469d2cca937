"""LoRA adapters on a frozen base: make, load, save, take off.

One adapter is on the base at a time. Taking it off leaves the base bit for bit as it was, so one loaded base serves
every run of a worker.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from transformers import PreTrainedModel

from paretoflow.core.errors import ModelError
from paretoflow.lm.base import LanguageModel
from paretoflow.spec.models import LoraSpec

BASE_FILE = "base.json"
"""Beside PEFT's own files: name and digest of the base that the adapter was trained on."""


def fresh_adapter(lm: LanguageModel, lora: LoraSpec, seed: int) -> PeftModel:
    """Put a new trainable adapter on the base; until it is trained the model answers as the base does.

    Args:
        seed: Decides the adapter's random half.

    Raises:
        ModelError: If `lora.targets` names no module of the model.
    """
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
        task_type="CAUSAL_LM",
    )
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = get_peft_model(lm.model, config)
    except ValueError as error:
        _take_off(lm.model)
        raise ModelError(f"no adapter fits: {error}", lm.name, "see model.lora.targets") from error
    model.base_digest = lm.digest
    return model


def load_adapter(lm: LanguageModel, folder: Path, *, trainable: bool) -> PeftModel:
    """Put a saved adapter on the base.

    Raises:
        ModelError: If the folder is broken, or the adapter belongs to another base.
    """
    _check_base(lm, folder)
    try:
        model = PeftModel.from_pretrained(
            lm.model, str(folder), is_trainable=trainable, local_files_only=True
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        _take_off(lm.model)
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"the adapter cannot be put on {lm.name}: {line}",
            str(folder),
            "it must be a PEFT folder for this base",
        ) from error
    model.base_digest = lm.digest
    return model if trainable else model.eval()


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write the adapter as an ordinary PEFT folder (safetensors); the folder appears whole or not at all.

    Only the adapter named "default" is written: a trainer may keep a frozen copy beside it. An older folder of the
    same name is replaced.
    """
    ...


def unload(model: PeftModel) -> PreTrainedModel:
    """Take every adapter off and return the base as it was before: frozen, in evaluation mode, without hooks."""
    ...


@contextmanager
def adapter_on(lm: LanguageModel, folder: Path | None) -> Iterator[PreTrainedModel]:
    """Yield the model to evaluate: the base with the folder's adapter, or the base itself for None.

    Raises:
        ModelError: As for `load_adapter`.
    """
    ...
    yield lm.model


def _check_base(lm: LanguageModel, folder: Path) -> None: ...
