"""Refuse logits that are not finite where they arise: samples from them are arbitrary.

A token's log-probability is finite only if no logit of its step is nan or infinite, and at least
one is not minus infinity, the value for excluded tokens. So one number checks a whole step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from paretoflow.core.errors import ModelError, NonFiniteLossError, ParetoflowError
from paretoflow.lm.base import LanguageModel


def logits_error(model: Any, lm: LanguageModel, place: str) -> ParetoflowError:
    """Return the error for logits that are not finite, of the base or of a trained model.

    Args:
        model: Source of the logits.
        lm: The model's base.
        place: Place of the check, for the message.
    """
    what = f"the logits are not finite at {place}"
    if model is lm.model:
        hint = "float16 is too narrow for many models: use bfloat16 or float32"
        return ModelError(
            f"{what}; the base has dtype {model.dtype}", lm.name, hint, code="model-not-finite"
        )
    return NonFiniteLossError(what, hint="lower method.learning_rate or method.max_grad_norm")


@contextmanager
def finite_logits(model: Any, lm: LanguageModel, place: str) -> Iterator[None]:
    """Check the last token's logits of each forward pass while others sample in the block.

    Raises:
        NonFiniteLossError: If they are not finite.
    """

    def look(layer: Any, given: Any, logits: torch.Tensor) -> None:
        if not bool(torch.isfinite(logits[:, -1].float().logsumexp(-1)).all()):
            raise logits_error(model, lm, place)

    hook = lm.model.get_output_embeddings().register_forward_hook(look)
    try:
        yield
    finally:
        hook.remove()
