"""Fields of all methods."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from paretoflow.spec.base import Spec


class DualSpec(Spec):
    """Control of constrained runs: an objective near its threshold gains weight.

    A look compares the policy in training with the run's parent, on the validation prompts.
    """

    form: Literal["dual", "barrier"] = "dual"
    """dual: multipliers that follow the violation; barrier: C-MORL's interior point."""
    every: int | None = Field(None, ge=1)
    """Optimiser steps between two looks. Unset: chosen so that a run has at most `looks`."""
    looks: int = Field(2, ge=1)
    """Maximum looks in a run if `every` is unset; the cost of control grows with it."""
    draws: int = Field(1, ge=1)
    """Answers to each validation prompt in a look."""
    lr: float = Field(30.0, gt=0)
    """For `dual`: multiplier step per unit of normalised violation."""
    lookahead: float = Field(0.5, ge=0)
    """Number of looks that control extrapolates, from the change between the last two."""
    sharpness: float = Field(80.0, gt=0)
    """For `barrier`: divisor of the logarithm of the room, in shares of the range. The paper has t
    = 20 on returns in units of their spread; a range is about four of these."""
    max_multiplier: float = Field(10.0, gt=0)
    """Bound on each multiplier, so that one objective cannot dominate the others permanently."""
    caution: float = Field(1.0, ge=0)
    """A threshold counts as kept if the policy is this many standard errors of the look above
    it."""
    checks: int = Field(2, ge=0)
    """Maximum looks in the search for a mixture that keeps the thresholds, if the run's last policy
    does not.
    """
    result: Literal["feasible", "last"] = "feasible"
    """Policy that a run ends with. feasible: the best one that kept its thresholds in a look; last:
    the last one."""
    paired: bool = True
    """Take thresholds as changes from the parent, measured on the same prompts; false: as gains on
    the validation prompts, as older versions did."""


def look_every(dual: DualSpec, steps: int) -> int:
    """Return the optimiser steps between two looks of a run; by hand: 10 steps, 2 looks: 4."""
    return dual.every or -(-steps // (dual.looks + 1))


class EarlyStopSpec(Spec):
    """Early end of a run at a checkpoint that shows likelihood over-optimisation.

    Shi et al. 2024, arXiv 2410.11677: top-k entropy and mass fall before quality does. As measured
    here, the mass distinguishes collapsed runs from good ones; entropy also falls if an objective
    prefers similar answers, and rises if it prefers variety.
    """

    after_frac: float = Field(0.1, ge=0.1, lt=1)
    """Evaluations before this share of the steps do not count."""
    evaluations: int = Field(1, ge=1)
    """Consecutive evaluated checkpoints that must show the signal; see `checkpoint_every`."""
    signal: Literal["mass", "entropy_and_mass"] = "mass"
    """mass: the probability outside the likeliest tokens exceeds the base's by the factor
    `outside`; entropy_and_mass: it exceeds the base's at all, and the entropy of the likeliest has
    dropped. The latter is the rule of earlier versions; it misses most runs that collapse and
    ignores a run's first checkpoint."""
    outside: float = Field(8.0, gt=1)
    """For `mass`: least ratio to the base's odds that a token is not among the likeliest k. Good
    runs reach three to five."""
    drop: float = Field(0.2, gt=0, lt=1)
    """For `entropy_and_mass`: least drop of top-k entropy below the base's, as a share of it."""


class MethodBase(Spec):
    """Fields of all methods."""

    steps: int = Field(40, ge=1)
    """Optimiser steps of a run."""
    batch_size: int = Field(8, ge=1, le=1_000_000)
    """Examples in one optimiser step, over all ranks of a worker group."""
    gradient_accumulation: int = Field(1, ge=1)
    """Number of forward passes for one batch, to save memory."""
    learning_rate: float = Field(5e-4, gt=0)
    """Peak step size of AdamW: linear warm-up over a tenth of the steps, then linear decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    checkpoint_every: int | None = Field(None, ge=1)
    """Steps between evaluated checkpoints, each a candidate for the front; unset: only the last."""
    dual: DualSpec = DualSpec()
    """The dual controller of constrained runs."""
    early_stop: EarlyStopSpec | None = None
    """Ends a run early, as finished, when its likelihoods are over-optimised. Unset: never. It does
    not apply to constrained runs, which return to an earlier policy by themselves."""
    trainer: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the method's config class in TRL, by their names there, for instance
    `{weight_decay: 0.01}`; docs/methods.md lists them."""


Units = Literal["prompt", "global", "none"]


class WeighsWithinPrompts(Spec):
    """Fields of the methods that compare answers to the same prompt."""

    standardise: Units = "prompt"
    """Units in which the weights act. prompt: standard deviations of the answers to one prompt, so
    that equal weights have equal effect, however much an objective differs between prompts; global:
    standard deviations over all prompts, where such an objective counts for less than its weight;
    none: as scored."""


def units_of(method: MethodBase) -> Units:
    """Return the units in which a method's weights act; a user's program has global ones."""
    return method.standardise if isinstance(method, WeighsWithinPrompts) else "global"
