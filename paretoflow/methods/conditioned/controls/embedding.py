"""The low-rank deltas of the embeddings, those of the control tokens alone trained.

An ordinary LoRA hangs on the embedding layer as on the others: PEFT keeps a column for each token
of the vocabulary, and all but the control tokens' stay zero. The output layer is not touched, also
where it is tied to the embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from peft.tuners.lora import Embedding
from torch.nn import Parameter

from paretoflow.core.errors import MethodError
from paretoflow.lm.adapters import ADAPTER


def control_layer(model: Any) -> Embedding:
    """Return the LoRA on the embeddings of a model that carries an adapter with control tokens.

    Raises:
        MethodError: If there is none.
    """
    layer = model.get_input_embeddings()
    if not isinstance(layer, Embedding):
        raise MethodError(
            "got an adapter without control tokens",
            hint="start from the base, or from a parent of the same method and objectives",
        )
    return layer


def control_parameters(layer: Embedding, ids: Sequence[int]) -> list[Parameter]:
    """Return the deltas' two halves, after seeing to it that only the control tokens' are trained.

    The hook on the gradients lives as long as the adapter.
    """
    columns = layer.lora_embedding_A[ADAPTER]
    mask = torch.zeros(columns.shape[1], device=columns.device, dtype=columns.dtype)
    mask[list(ids)] = 1.0
    columns.register_hook(lambda gradient: gradient * mask)
    return [columns, layer.lora_embedding_B[ADAPTER]]
