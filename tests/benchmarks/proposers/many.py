"""Six objectives: evidence for the default there; run only by name, family `six`."""

from __future__ import annotations

from functools import partial

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.front.simplex import symmetric_simplex
from tests.benchmarks.proposers.llm import LlmLike, llm_front
from tests.benchmarks.proposers.problems import Known
from tests.benchmarks.proposers.trainable import pymoo_problem

M = 6
POINTS = 252


def sphere(sign: float) -> FloatArray:
    """Return a part of a sphere: bulging towards the ideal (1, convex) or the nadir (-1)."""
    points = np.vstack([np.eye(M), symmetric_simplex(M, POINTS)])
    points = points / np.linalg.norm(points, axis=1, keepdims=True)
    return points if sign > 0 else 1 - points


MANY = [
    Known("six_convex", "six", partial(sphere, 1.0)),
    Known("six_concave", "six", partial(sphere, -1.0)),
    Known("six_dtlz2", "six", partial(sphere, -1.0), partial(pymoo_problem, "dtlz2", M, 12)),
    Known("six_llm", "six", partial(llm_front, 0, M), prompted=partial(LlmLike, 0)),
]
