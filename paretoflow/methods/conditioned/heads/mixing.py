"""A model whose heads answer in the shares that are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from paretoflow.lm.adapters import ADAPTER
from paretoflow.methods.conditioned.heads.layout import head_layer


def gate(shares: torch.Tensor, rank: int) -> torch.Tensor:
    """Return what the low-rank inner values of the heads are multiplied by, shape (b, 1, K r).

    K times each head's share, r times over: the adapter as it is stands for equal shares 1/K. By
    hand: shares (0.25, 0.75) and r = 2 give (0.5, 0.5, 1.5, 1.5).

    Args:
        shares: Of the heads, shape (b, K); a row of ones and zeros is one head alone.
        rank: Rank r of a head's delta.
    """
    return (shares * shares.shape[1]).repeat_interleave(rank, dim=1)[:, None, :]


@contextmanager
def mixed(model: Any, shares: torch.Tensor) -> Iterator[Any]:
    """Let a model's heads answer in the given shares in the block; the weights stay as they are.

    With the head's logits l_h, the logits are sum_h shares_h l_h for shares that sum to one.

    Args:
        model: Carries an adapter with K heads.
        shares: Of one mixture for all rows, shape (1, K), or of each row of the batch, shape
            (b, K).

    Raises:
        MethodError: If the adapter has no such heads.
    """
    layer = head_layer(model, shares.shape[1])
    inner = layer.lora_A[ADAPTER]
    factors = gate(shares, layer.r[ADAPTER] // shares.shape[1])

    def scale(module: Any, given: Any, output: torch.Tensor) -> torch.Tensor:
        return output * factors.to(device=output.device, dtype=output.dtype)

    hook = inner.register_forward_hook(scale)
    try:
        yield model
    finally:
        hook.remove()
