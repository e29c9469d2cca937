"""Gradient combiners: from the gradients' inner products and the weights to coefficients.

How to add one (the tag is the YAML `combiner.type` and the module's name): its knobs in a spec that
joins `CombinerSpec` in `spec/methods/gradients.py`; a pure function `(gram, weights, **knobs)` in
`combiners/<tag>.py`; one line in `COMBINERS` and one in `SPECS` of
`tests/unit/methods/gradients/test_combiners.py`, which then tests it against the contract given
here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.methods.gradients.combiners.cagrad import cagrad
from paretoflow.methods.gradients.combiners.linear import linear
from paretoflow.methods.gradients.combiners.mgda import mgda
from paretoflow.methods.gradients.combiners.raco import raco
from paretoflow.spec.methods.gradients import CombinerSpec

__all__ = ["COMBINERS", "coefficients"]

COMBINERS: dict[str, Callable[..., FloatArray]] = {
    "cagrad": cagrad,
    "linear": linear,
    "mgda": mgda,
    "raco": raco,
}
"""YAML tag to function."""


def coefficients(spec: CombinerSpec, gram: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the coefficient of each loss in the combined step G = sum_i a_i g_i, shape (m,).

    The unit of the gradients does not matter, nor does the order of the objectives. An objective
    without weight is left out and gets 0, so one-hot weights train on one objective alone. An
    objective without a gradient (the batch holds no preference of it) is left out and keeps its
    weight, which has no effect. Departure: read literally, MGDA would then not move at all, since
    an objective whose gradient is zero is at its optimum; on a batch it is more often not
    represented.

    Args:
        spec: The combiner and its knobs.
        gram: Inner products g_i.g_j, shape (m, m); only those of weighted objectives are used.
        weights: On the simplex, shape (m,).

    Returns:
        Nan where an inner product is not finite, so that the step fails its check.
    """
    squares = np.diag(gram)
    say = (weights > 0) & (squares != 0)
    found = weights.copy()
    if not say.any():
        return found
    part = gram[np.ix_(say, say)]
    if np.isfinite(part).all():
        knobs = spec.model_dump(exclude={"type"})
        part = part / squares[say].max()  # so that gradients of 1e-8 are not taken for rounding
        found[say] = COMBINERS[spec.type](part, weights[say], **knobs)
    else:
        found[say] = np.nan
    return found
