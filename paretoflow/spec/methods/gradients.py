"""Methods that combine one gradient for each objective."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from paretoflow.spec.base import Spec
from paretoflow.spec.methods.base import MethodBase, WeighsWithinPrompts


class LinearCombinerSpec(Spec):
    """The weighted sum of the gradients, in one backward pass: the baseline of the others."""

    type: Literal["linear"]


class MgdaCombinerSpec(Spec):
    """The shortest convex combination of the gradients: a step along which no objective gets worse.

    Désidéri 2012, doi 10.1016/j.crma.2012.03.014; Sener and Koltun 2018, arXiv 1810.04650.
    """

    type: Literal["mgda"]
    weighted: bool = True
    """Divide each gradient by its weight first, so that objectives improve in proportion to their
    weights; false: the published form, which ignores weights and gives one point."""


class CagradCombinerSpec(Spec):
    """The weighted sum, turned towards the objective that it serves worst.

    Liu et al. 2021, arXiv 2110.14048.
    """

    type: Literal["cagrad"]
    c: float = Field(0.4, ge=0, lt=1)
    """Length of the turn over the length of the weighted sum; 0 is the weighted sum."""


class RacoCombinerSpec(Spec):
    """Like `cagrad`, but no objective has more than its weight in the turn.

    Chen et al. 2026, arXiv 2602.02495.
    """

    type: Literal["raco"] = "raco"
    c: float = Field(0.4, ge=0, lt=1)
    """Length of the turn over the length of the weighted sum; 0 is the weighted sum."""


def _tagged(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


CombinerSpec = Annotated[
    LinearCombinerSpec | MgdaCombinerSpec | CagradCombinerSpec | RacoCombinerSpec,
    Field(discriminator="type"),
    BeforeValidator(_tagged),
]
"""Combination of gradients; a bare tag means its defaults."""


class GradientDpoMethodSpec(MethodBase, WeighsWithinPrompts):
    """A DPO loss for each objective on common pairs, with gradients combined without conflict.

    With `raco`, the default, Chen et al. 2026, arXiv 2602.02495.
    """

    type: Literal["gradient_dpo"]
    beta: float = Field(0.1, gt=0)
    """KL coefficient; smaller values move further from the base."""
    pairs_per_prompt: int = Field(2, ge=1)
    """Pairs taken from each prompt's candidates: those on which the weighted objectives differ
    most, whether or not they agree."""
    combiner: CombinerSpec = RacoCombinerSpec()
    """Combination of the objectives' gradients; `raco` alone means `{type: raco}`."""
