"""Which modules an adapter hangs on when a method wants one more than the spec says."""

from __future__ import annotations

import re

from torch import nn
from transformers.pytorch_utils import Conv1D

from paretoflow.core.errors import ModelError
from paretoflow.lm.base import LanguageModel
from paretoflow.spec.models import LoraSpec


def targets_with(lm: LanguageModel, lora: LoraSpec, extra: nn.Module) -> str | list[str]:
    """Return PEFT's `target_modules`: those of the spec and one more module of the base."""
    name = name_of(lm, extra)
    if not isinstance(lora.targets, str):
        return [*(t for t in lora.targets if t != name), name]
    if lora.targets.lower() != "all-linear":
        return f"(?:{lora.targets})|{re.escape(name)}"
    kinds = (nn.Linear, Conv1D)  # as PEFT, which leaves the output layer out
    output = lm.model.get_output_embeddings()
    linear = [n for n, m in lm.model.named_modules() if isinstance(m, kinds) and m is not output]
    return sorted({*(n.rpartition(".")[2] for n in linear), name})


def name_of(lm: LanguageModel, module: nn.Module | None) -> str:
    """Return the name of a module within the base.

    Raises:
        ModelError: If it is none of the base's.
    """
    names = [name for name, own in lm.model.named_modules() if own is module]
    if module is None or not names:
        raise ModelError(
            "the base has no layer of its own for token ids or logits",
            lm.name,
            "use a causal language model",
        )
    return names[0]
