"""What all methods share."""

from __future__ import annotations

from typing import Literal

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


class EarlyStopSpec(Spec):
    """When likelihood over-optimisation ends a run, at a checkpoint that it was seen at.

    Shi et al. 2024, arXiv 2410.11677: top-k entropy and mass fall before quality does.
    """

    after_frac: float = Field(0.1, ge=0.1, lt=1)
    """Share of the steps before which no evaluation counts."""
    evaluations: int = Field(2, ge=1)
    """Evaluated checkpoints in a row that must show it, none of them a run's first; see
    `checkpoint_every`."""
    drop: float = Field(0.2, gt=0, lt=1)
    """How far top-k entropy must be under the base's, as a share of it."""


class MethodBase(Spec):
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
    early_stop: EarlyStopSpec | None = None
    """Ends a run early, as finished, when its likelihoods are over-optimised; unset: never."""


class WeighsWithinPrompts(Spec):
    """What the methods share that weigh answers to one prompt against each other."""

    standardise: Literal["prompt", "global", "none"] = "prompt"
    """Units in which the weights act. prompt: standard deviations of the answers to one prompt, so
    that equal weights are equal, however much an objective differs between prompts; global:
    standard deviations over all prompts, where such an objective counts for less than its weight;
    none: as scored."""
