"""Methods that learn from the base's scored answers, without sampling on the way."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.methods.base import MethodBase


class DpoMethodSpec(MethodBase):
    """Direct preference optimisation on pairs of the base's answers, ranked by weighted score.

    Scores are standardised before they are weighted. Rafailov et al. 2023, arXiv 2305.18290.
    """

    type: Literal["dpo"] = "dpo"
    beta: float = Field(0.1, gt=0)
    """Strength of the pull towards the base; smaller moves further."""
    pairs_per_prompt: int = Field(2, ge=1)
    """Pairs taken from each prompt's candidates, widest margins first."""
    loss: Literal["sigmoid", "ipo", "hinge"] = "sigmoid"
    """Loss on the implicit reward margin."""


class ModpoMethodSpec(MethodBase):
    """Multi-objective DPO: DPO on one objective's pairs, with the others' rewards as margins.

    Equals DPO when that objective has all the weight. Zhou et al. 2023, arXiv 2310.03708.
    """

    type: Literal["modpo"]
    beta: float = Field(0.1, gt=0)
    """Strength of the pull towards the base."""
    pairs_per_prompt: int = Field(2, ge=1)
    """Pairs taken from each prompt's candidates, widest margins first."""
    min_weight: float = Field(0.05, gt=0, le=1)
    """Floor of the anchoring objective's weight: the loss divides by it."""
