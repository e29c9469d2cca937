"""What all methods share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.base import Spec


class DualSpec(Spec):
    """How a constrained run keeps its thresholds: an objective that nears its own gains weight.

    A look compares the policy in training with the run's parent, on the validation prompts.
    """

    form: Literal["dual", "barrier"] = "dual"
    """dual: multipliers that follow the violation; barrier: C-MORL's interior point."""
    every: int | None = Field(None, ge=1)
    """Optimiser steps between two looks; unset: such that a run has at most `looks`."""
    looks: int = Field(2, ge=1)
    """Looks in a run, where `every` is unset; the cost of control grows with it."""
    draws: int = Field(1, ge=1)
    """Answers to each validation prompt in a look."""
    lr: float = Field(30.0, gt=0)
    """dual: multiplier step per unit of normalised violation."""
    lookahead: float = Field(0.5, ge=0)
    """Looks that control is ahead, by what moved between the last two."""
    sharpness: float = Field(80.0, gt=0)
    """barrier: what the logarithm of a share of the range is divided by. The paper has t = 20 on
    returns in units of their spread, of which a range holds about four."""
    max_multiplier: float = Field(10.0, gt=0)
    """Bound on each multiplier, so that one objective cannot drown the others for good."""
    caution: float = Field(1.0, ge=0)
    """Standard errors of a look that a policy must be above its thresholds to count as kept."""
    checks: int = Field(2, ge=0)
    """Looks for a mixture with the parent that keeps the thresholds, where the run's end does not.
    """
    result: Literal["feasible", "last"] = "feasible"
    """feasible: a run ends at the best policy that was seen to keep its thresholds; last: at the
    last."""
    paired: bool = True
    """Take thresholds as changes from the parent, measured on the same prompts; false: as gains on
    whatever is looked at, as older versions did."""


def look_every(dual: DualSpec, steps: int) -> int:
    """Return the optimiser steps between two looks of a run; by hand: 10 steps, 2 looks: 4."""
    return dual.every or -(-steps // (dual.looks + 1))


class EarlyStopSpec(Spec):
    """When likelihood over-optimisation ends a run, at a checkpoint that it was seen at.

    Shi et al. 2024, arXiv 2410.11677: top-k entropy and mass fall before quality does. As measured
    here, the mass tells collapsed runs from good ones; entropy also falls where an objective likes
    answers alike, and rises where it likes variety.
    """

    after_frac: float = Field(0.1, ge=0.1, lt=1)
    """Share of the steps before which no evaluation counts."""
    evaluations: int = Field(1, ge=1)
    """Evaluated checkpoints in a row that must show it; see `checkpoint_every`."""
    signal: Literal["mass", "entropy_and_mass"] = "mass"
    """mass: more probability than the base's lies outside the likeliest tokens; entropy_and_mass:
    that at all, and the entropy of the likeliest has dropped, as earlier versions asked, which
    passes over most runs that collapse; a run's first checkpoint does not count then."""
    outside: float = Field(8.0, gt=1)
    """Of `mass`: how many times the base's the odds must be that a token is not among the likeliest
    k. Good runs reach three to five times."""
    drop: float = Field(0.2, gt=0, lt=1)
    """Of `entropy_and_mass`: how far top-k entropy must be under the base's, as a share of it."""


class MethodBase(Spec):
    """What all methods share."""

    steps: int = Field(40, ge=1)
    """Optimiser steps of a run."""
    batch_size: int = Field(8, ge=1, le=1_000_000)
    """Examples in an optimiser step, over all ranks of a worker group."""
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
    """Ends a run early, as finished, when its likelihoods are over-optimised; unset: never.
    Not of a constrained run, which goes back by itself."""


Units = Literal["prompt", "global", "none"]


class WeighsWithinPrompts(Spec):
    """What the methods share that weigh answers to one prompt against each other."""

    standardise: Units = "prompt"
    """Units in which the weights act. prompt: standard deviations of the answers to one prompt, so
    that equal weights are equal, however much an objective differs between prompts; global:
    standard deviations over all prompts, where such an objective counts for less than its weight;
    none: as scored."""


def units_of(method: MethodBase) -> Units:
    """Return the units in which a method's weights act; a program of the user's has global ones."""
    return method.standardise if isinstance(method, WeighsWithinPrompts) else "global"
