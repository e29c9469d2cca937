"""Target modules of an adapter: those of the spec, and one more for some methods."""

from __future__ import annotations

import re

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from paretoflow.core.errors import ModelError
from paretoflow.lm.base import LanguageModel
from paretoflow.spec.models import ALL_LINEAR, LoraSpec

_ATTENTION = re.compile("attn|attention")
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
"""Names of the number of experts in configurations."""


def targets_of(model: PreTrainedModel, lora: LoraSpec, name: str) -> str | list[str]:
    """Return PEFT's `target_modules` for the spec.

    On a mixture of experts "all-linear" is every linear layer of attention: PEFT would also take
    the experts and the router that chooses among them, and no server loads such an adapter.

    Raises:
        ModelError: If a mixture of experts has no such layer.
    """
    if not isinstance(lora.targets, str):
        return list(lora.targets)
    if lora.targets.lower() != ALL_LINEAR or not has_experts(model):
        return lora.targets
    found = {layer.rpartition(".")[2] for layer in _linear(model) if _ATTENTION.search(layer)}
    if not found:
        what = "the base is a mixture of experts without linear layers of attention"
        raise ModelError(
            what, name, "name the layers to adapt in model.lora.targets", code="model-targets"
        )
    return sorted(found)


def has_experts(model: PreTrainedModel) -> bool:
    """Return whether the model is a mixture of experts."""
    config = model.config.get_text_config()
    return any((getattr(config, name, None) or 0) > 1 for name in _EXPERTS)


def targets_with(lm: LanguageModel, lora: LoraSpec, extra: nn.Module) -> str | list[str]:
    """Return PEFT's `target_modules`: those of the spec and one more module of the base."""
    name = name_of(lm, extra)
    targets = targets_of(lm.model, lora, lm.name)
    if isinstance(targets, list):
        return [*(t for t in targets if t != name), name]
    if targets.lower() != ALL_LINEAR:
        return f"(?:{targets})|{re.escape(name)}"
    return sorted({*(n.rpartition(".")[2] for n in _linear(lm.model)), name})


def _linear(model: PreTrainedModel) -> list[str]:
    """Return the names of the linear layers, except those inside experts and the output."""
    kinds = (nn.Linear, Conv1D)  # as in PEFT, which leaves the output layer out
    output = model.get_output_embeddings()
    return [
        name
        for name, layer in model.named_modules()
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
            code="model-targets",
        )
    return names[0]
