"""Methods whose one artifact serves many preferences."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paretoflow.spec.base import Spec
from paretoflow.spec.methods.base import MethodBase, WeighsWithinPrompts


class RpsSelectSpec(Spec):
    """Robust preference selection: one answer to each of k neighbouring preferences, the best kept.

    The best has the highest standardised scores along the requested preference. Costs k times the
    sampling.
    """

    type: Literal["rps"]
    k: int = Field(5, ge=1)
    """Neighbouring preferences, one answer each."""
    angle: float = Field(30.0, gt=0, le=90)
    """Largest angle in degrees between a neighbour and the preference."""


class BestOfSelectSpec(Spec):
    """Best of k answers to the preference itself: the baseline of `rps` at equal cost."""

    type: Literal["best_of"]
    k: int = Field(5, ge=1)
    """Answers to the preference."""


SelectSpec = Annotated[RpsSelectSpec | BestOfSelectSpec, Field(discriminator="type")]


class ServeSpec(Spec):
    """Preferences at which an artifact is evaluated; each is a candidate for the front."""

    points: int = Field(11, ge=2, le=10_000)
    """Number of preferences, evenly over the simplex. With more than two objectives: the smallest
    lattice with at least this many. Each costs an evaluation of every checkpoint."""
    select: SelectSpec | None = None
    """Choice of one of several answers. Unset: one answer, no choice."""


class ConditionedBase(MethodBase, WeighsWithinPrompts):
    """Fields of the methods whose artifact serves a continuum of preferences.

    A launch's weights do not enter the training, so one run is a whole front. `standardise` sets
    the units in which one of several answers to a prompt is chosen; scores in prompts or bins are
    standardised over all prompts.
    """

    serve: ServeSpec = ServeSpec()
    """The preferences that a checkpoint is evaluated at."""


class RoundsBase(ConditionedBase):
    """Fields of the methods that learn from the base's answers first, then from their own."""

    rounds: int = Field(1, ge=0)
    """Number of times that the policy in training is sampled, with preferences in its prompts."""
    round_steps: int | None = Field(None, ge=1)
    """Optimiser steps after each sampling. Unset: `steps` divided evenly, including the first
    stage."""
    round_prompts: int | None = Field(None, ge=1)
    """Number of prompts in a round. Unset: every train prompt once."""

    @property
    def steps_of_round(self) -> int:
        """Return the optimiser steps after each sampling, at least 1."""
        return self.round_steps or max(1, self.steps // (self.rounds + 1))

    @property
    def opening_steps(self) -> int:
        """Return the steps on the base's answers, before any sampling; must be at least 1."""
        return self.steps - self.rounds * self.steps_of_round


class RicMethodSpec(RoundsBase):
    """Rewards in context: supervised training on answers with their own scores in the prompt.

    At inference the prompt states the scores to reach. Yang et al. 2024, arXiv 2402.10207.
    """

    type: Literal["ric"]
    goals: Literal["linf", "l2", "linear"] = "linf"
    """Map from a preference to target scores, between the smallest and the largest score of the
    base's answers."""
    quantile: float = Field(0.7, ge=0, lt=1)
    """A round learns from those of its answers that reach this quantile of some objective."""
    replay: float = Field(0.5, ge=0)
    """Number of the base's answers that pass the same filter to mix in for each sampled answer."""


class DpaMethodSpec(RoundsBase):
    """Directional preference alignment: a direction in the prompt, the best answer along it.

    Alternates rejection sampling and supervised training. Wang et al. 2024, arXiv 2402.18571.
    """

    type: Literal["dpa"]
    rounds: int = Field(2, ge=0)
    """Number of times that the policy in training is sampled, with directions in its prompts."""
    samples: int = Field(8, ge=1)
    """Answers sampled for each prompt and direction of a round; training uses the best."""
    angle: float = Field(90.0, gt=0, le=90)
    """Training directions are at most this many degrees from the first objective's axis."""
