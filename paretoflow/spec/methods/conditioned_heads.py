"""Methods that look at each objective, or at each prompt, through weights of its own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.methods.conditioned import ConditionedBase
from paretoflow.spec.methods.offline import PairMethodBase


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


class ProMethodSpec(PairMethodBase):
    """DPO whose weights are a launch's times a prompt's own, learnt from the preferred answers.

    Liu et al. 2025, arXiv 2511.10656.
    """

    type: Literal["pro"]
    temperature: float = Field(1.0, gt=0)
    """Of the softmax that makes weights of a preferred answer's scores; smaller is sharper."""
    entropy_floor: float = Field(0.5, ge=0, le=1)
    """Least entropy of the weights to learn, as a share of that of equal weights; 1 makes every
    prompt's weights equal, which is plain DPO."""
    ridge: float = Field(0.01, gt=0)
    """Pull of a prompt's weights towards those of the average prompt."""
