"""Check gradients before training on them."""

from __future__ import annotations

import numpy as np

from paretoflow.core.errors import NonFiniteLossError
from paretoflow.core.values import FloatArray


def finite_products(products: FloatArray, names: tuple[str, ...], step: int) -> FloatArray:
    """Return the inner products of gradients, shape (k, k), unchanged.

    Args:
        products: Inner products of the objectives' gradients.
        names: Names of these objectives, length k.
        step: Their optimiser step.

    Raises:
        NonFiniteLossError: If one is not finite, which would make the weights meaningless.
    """
    odd = [n for n, ok in zip(names, np.isfinite(np.diag(products)), strict=True) if not ok]
    if odd or not np.isfinite(products).all():
        told = ", ".join(odd or names)
        what = f"the gradient of {told} is not finite at step {step}"
        raise NonFiniteLossError(what, hint="lower method.learning_rate or method.max_grad_norm")
    return products
