"""Methods that sample from the policy in training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.methods.base import MethodBase


class GrpoMethodSpec(MethodBase):
    """Group-relative policy optimisation on fresh samples, rewards combined by weight.

    Shao et al. 2024, arXiv 2402.03300.
    """

    type: Literal["grpo"]
    beta: float = Field(0.02, ge=0)
    """Weight of the KL penalty to the base; 0 saves the reference pass."""
    generations: int = Field(4, ge=2)
    """Answers sampled for each prompt, the group of its advantages; must divide `batch_size`."""
    aggregation: Literal["linear", "normalize_then_sum"] = "normalize_then_sum"
    """linear: weigh the standardised rewards, then normalise within the group; normalize_then_sum:
    normalise each reward within the group first, so that no objective's spread drowns another's."""
