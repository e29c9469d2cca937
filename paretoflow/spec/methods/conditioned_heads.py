"""Methods with a head, or control tokens, for each objective: one artifact, many preferences."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.methods.conditioned import ConditionedBase
from paretoflow.spec.methods.offline import DPO_BETA


class MahDpoMethodSpec(ConditionedBase):
    """Multi-action-head DPO: one output head for each objective, mixed by weight at inference.

    A step trains on `batch_size` pairs of every objective, each through its own head. Shen et al.
    2025, arXiv 2510.01167.
    """

    type: Literal["mah_dpo"]
    beta: float = Field(DPO_BETA, gt=0)
    """KL coefficient; smaller values move further from the base. The paper has 0.1, with which a
    run that is long enough for a whole front collapses here."""
    pairs_per_prompt: int = Field(2, ge=1)
    """Pairs taken from each prompt's candidates for each objective, widest margins first."""


class MeetMethodSpec(ConditionedBase):
    """MEET: control tokens for bins of each objective's scores, learnt before the model is.

    Xue et al. 2023, arXiv 2310.00819.
    """

    type: Literal["meet"]
    bins: int = Field(3, ge=2)
    """Number of bins of each objective, with equally many answers and a control token each."""
    control_frac: float = Field(0.25, gt=0, lt=1)
    """Share of the steps that train the control tokens, with the model frozen; at least one step.
    """
