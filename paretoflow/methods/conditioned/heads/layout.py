"""Where the heads lie in an adapter.

A head is the base's own output layer plus a low-rank delta. The K deltas of rank r lie side by side
in one LoRA of rank K r on that layer: rows h r to (h + 1) r of its A and the same columns of its B
are head h. The base's weights are never written, so a layer that is tied to the embeddings may
stay tied.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from paretoflow.core.errors import MethodError
from paretoflow.lm.adapters import ADAPTER
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.targets import name_of, targets_with
from paretoflow.spec.models import LoraSpec


def head_options(lm: LanguageModel, lora: LoraSpec, heads: int) -> dict[str, Any]:
    """Return PEFT's options for an adapter with heads, beside those of the spec.

    PEFT scales the output layer's LoRA by alpha over its whole rank, `heads` times the backbone's:
    taken as it is, the adapter answers with its heads mixed in equal shares.

    Raises:
        ModelError: If the base has no output layer to hang heads on.
    """
    output = lm.model.get_output_embeddings()
    return {
        "rank_pattern": {**lora.ranks, name_of(lm, output): heads * lora.rank},
        "target_modules": targets_with(lm, lora, output),
    }


def head_layer(model: Any, heads: int) -> LoraLayer:
    """Return the LoRA on the output layer of a model that carries an adapter with heads.

    Raises:
        MethodError: If there is none, or its rank is no multiple of the number of heads.
    """
    layer = model.get_output_embeddings()
    rank = layer.r.get(ADAPTER, 0) if isinstance(layer, LoraLayer) else 0
    if rank == 0 or rank % heads:
        raise MethodError(
            f"got an adapter with rank {rank} on the output layer; allowed: a multiple of {heads}, "
            "one part for each objective",
            hint="start from the base, or from a parent of the same method and objectives",
        )
    return layer


def start_alike(layer: LoraLayer, heads: int) -> None:
    """Give every head the first one's random half, so that the heads start as copies."""
    weight = layer.lora_A[ADAPTER].weight
    with torch.no_grad():
        weight.copy_(weight[: len(weight) // heads].repeat(heads, 1))
