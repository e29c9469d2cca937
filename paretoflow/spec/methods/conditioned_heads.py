"""Methods that look at each objective, or at each prompt, through weights of its own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.methods.conditioned import ConditionedBase


class MahDpoMethodSpec(ConditionedBase):
    """Multi-action-head DPO: one output head for each objective, mixed by weight when it is asked.

    A step trains on `batch_size` pairs of every objective, each through its own head. Shen et al.
    2025, arXiv 2510.01167.
    """

    type: Literal["mah_dpo"]
    beta: float = Field(0.1, gt=0)
    """Strength of the pull towards the base; smaller moves further."""
    pairs_per_prompt: int = Field(2, ge=1)
    """Pairs taken from each prompt's candidates for each objective, widest margins first."""
