"""How a run trains.

Every method takes a weight vector, or a constraint that a dual controller turns into weights.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paretoflow.spec.base import Spec


class DualSpec(Spec):
    """The dual controller of constrained runs: an objective under its threshold gains weight."""

    every: int = Field(5, ge=1)
    """Optimiser steps between two looks at the validation scores."""
    lr: float = Field(1.0, gt=0)
    """Multiplier step per unit of normalised violation."""
    max_multiplier: float = Field(10.0, gt=0)
    """Bound on each multiplier, so that one objective cannot drown the others for good."""


class _MethodSpec(Spec):
    """What all methods share."""

    steps: int = Field(40, ge=1)
    """Optimiser steps of a run."""
    batch_size: int = Field(8, ge=1)
    """Examples in an optimiser step, over all ranks of a gang."""
    gradient_accumulation: int = Field(1, ge=1)
    """Forward passes that `batch_size` is divided over, to save memory."""
    learning_rate: float = Field(5e-4, gt=0)
    """Peak step size of AdamW: linear warm-up over a tenth of the steps, then linear decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    checkpoint_every: int | None = Field(None, ge=1)
    """Steps between evaluated checkpoints, each a candidate for the front; unset: only the last."""
    dual: DualSpec = DualSpec()
    """The dual controller of constrained runs."""


class DpoMethodSpec(_MethodSpec):
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


class ModpoMethodSpec(_MethodSpec):
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


class GrpoMethodSpec(_MethodSpec):
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


MethodSpec = Annotated[
    DpoMethodSpec | ModpoMethodSpec | GrpoMethodSpec, Field(discriminator="type")
]
