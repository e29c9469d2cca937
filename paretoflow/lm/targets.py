"""Which modules an adapter hangs on: those of the spec, and one more where a method wants it."""

from __future__ import annotations

import re

from torch import nn
from transformers.pytorch_utils import Conv1D

from paretoflow.core.errors import ModelError
from paretoflow.lm.base import LanguageModel
from paretoflow.spec.models import LoraSpec

ALL_LINEAR = "all-linear"
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
"""What configurations call their number of experts."""


def targets_of(lm: LanguageModel, lora: LoraSpec) -> str | list[str]:
    """Return PEFT's `target_modules` for the spec.

    On a mixture of experts "all-linear" is every linear layer of attention: PEFT would also take
    the experts and the router that chooses among them, and no server loads such an adapter.

    Raises:
        ModelError: If a mixture of experts has no such layer.
    """
    if not isinstance(lora.targets, str):
        return list(lora.targets)
    if lora.targets.lower() != ALL_LINEAR or not has_experts(lm):
        return lora.targets
    found = {name.rpartition(".")[2] for name in _linear(lm) if "attn" in name or "attent" in name}
    if not found:
        what = "the base is a mixture of experts without linear layers of attention"
        raise ModelError(what, lm.name, "name the layers to adapt in model.lora.targets")
    return sorted(found)


def has_experts(lm: LanguageModel) -> bool:
    """Return whether the base is a mixture of experts."""
    config = lm.model.config.get_text_config()
    return any((getattr(config, name, None) or 0) > 1 for name in _EXPERTS)


def targets_with(lm: LanguageModel, lora: LoraSpec, extra: nn.Module) -> str | list[str]:
    """Return PEFT's `target_modules`: those of the spec and one more module of the base."""
    name = name_of(lm, extra)
    targets = targets_of(lm, lora)
    if isinstance(targets, list):
        return [*(t for t in targets if t != name), name]
    if targets.lower() != ALL_LINEAR:
        return f"(?:{targets})|{re.escape(name)}"
    return sorted({*(n.rpartition(".")[2] for n in _linear(lm)), name})


def _linear(lm: LanguageModel) -> list[str]:
    """Return the names of the linear layers, those inside of experts and the output left out."""
    kinds = (nn.Linear, Conv1D)  # as PEFT, which leaves the output layer out
    output = lm.model.get_output_embeddings()
    return [
        name
        for name, layer in lm.model.named_modules()
        if isinstance(layer, kinds) and layer is not output and "experts" not in name.split(".")
    ]


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
