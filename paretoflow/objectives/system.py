"""Placeholder scorer of a system cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.objectives.context import ObjectiveContext
from paretoflow.spec.objectives import SystemObjectiveSpec


class SystemObjective:
    """Scores nothing: the cost cannot be read from the answer.

    Its column holds 0 wherever answers are scored; `scoring.costs` fills it where a checkpoint is
    evaluated.
    """

    def __init__(self, spec: SystemObjectiveSpec, context: ObjectiveContext) -> None:
        """Accept the arguments of every scorer; none is used."""

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return 0 for each answer, shape (b,)."""
        return np.zeros(len(completions))
