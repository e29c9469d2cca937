"""How an online method turns the rewards of its samples, one for each objective, into advantages.

In a YAML a bare name takes the defaults: `aggregation: chebyshev` is
`aggregation: {type: chebyshev}`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from paretoflow.spec.base import Spec

Combination = Literal["linear", "normalize_then_sum"]
"""The two plain weighted sums that the dynamic aggregations work on."""


class LinearSpec(Spec):
    """Weigh the standardised rewards, then compare within the group."""

    type: Literal["linear"] = "linear"


class NormalizeThenSumSpec(Spec):
    """Normalise each reward within its group first, so that no spread drowns another; GDPO."""

    type: Literal["normalize_then_sum"] = "normalize_then_sum"


class ChebyshevSpec(Spec):
    """Reward an answer by its worst weighted distance to the best of the base's own answers.

    Reaches points in dents of the front that no weighted sum prefers.
    """

    type: Literal["chebyshev"]
    augmentation: float = Field(0.05, ge=0)
    """Share of the weighted sum of all distances that is added to the worst one; 0 is the pure
    form, which takes answers for equal that differ in other objectives only."""


class MaxminSpec(Spec):
    """Train on the objective that is worst in the batch, among those that have weight."""

    type: Literal["maxmin"]
    tau: float | None = Field(None, gt=0)
    """Smooth form: shares proportional to weight times exp(-tau mean reward); unset: the worst
    objective alone, whatever its weight."""


class LogSigmoidSpec(Spec):
    """Centre each reward on what the base reaches for the prompt, and saturate what is above."""

    type: Literal["log_sigmoid"]
    ref_quantile: float = Field(0.85, gt=0, lt=1)
    """Quantile of the base's scored answers to a prompt that is the prompt's reference reward."""


class PamaSpec(Spec):
    """Combine the objectives' advantages so that the joint step is smallest: the laggard leads."""

    type: Literal["pama"]
    noon: bool = True
    """Drop negative advantages ("no negative"), as published; false keeps their sign."""
    levels: Literal["gains", "advantages"] = "gains"
    """What says which objective lags. gains: how much of the way from the base's mean to its best
    answers each has come; advantages: the means of their advantages, as published with value heads:
    of advantages within groups these are noise, for comparison."""
    weighted: bool = True
    """Divide by the weights before objectives are compared, so that runs with other weights end
    elsewhere; false: the weights say only who takes part, and all runs seek one point."""


class PamaScalarSpec(Spec):
    """PAMA read literally: its one number is every token's advantage. For comparison."""

    type: Literal["pama_scalar"]
    noon: bool = True
    """Drop negative advantages ("no negative"), as published; false keeps their sign."""


class HvDynamicSpec(Spec):
    """Push harder while the run adds hypervolume: advantages times 0.5 to 2."""

    type: Literal["hv_dynamic"]
    combine: Combination = "linear"
    """How the rewards are combined before they are scaled."""
    every: int = Field(5, ge=1)
    """Steps between two looks at the validation prompts."""
    measure: Literal["run", "sweep"] = "run"
    """What a look's point is held against. run: the base and this run's earlier looks, in units of
    the mean improvement so far, so that the factor uses its whole range; sweep: the sweep's front
    at launch, in units of the whole box, where most looks add nothing and the factor rests at 0.5.
    """
    scales: Literal["advantages", "rewards"] = "advantages"
    """What the factor multiplies; "rewards" is the published form, which group normalisation
    cancels, for comparison."""


class GradDynamicSpec(Spec):
    """Move the weights towards objectives whose gradient agrees with the sum of all gradients.

    A forward and a backward pass more for each objective and step; one rank only.
    """

    type: Literal["grad_dynamic"]
    combine: Combination = "linear"
    """How the rewards are combined under the weights of the moment."""
    rate: float = Field(0.1, gt=0)
    """Step of the logarithm of a weight for each unit of influence."""
    every: int = Field(1, ge=1)
    """Steps whose influence is averaged into one move of the weights."""
    clip: float = Field(1.0, gt=0)
    """Each objective's gradient is clipped to this norm before they are compared."""


AggregationSpec = (
    LinearSpec
    | NormalizeThenSumSpec
    | ChebyshevSpec
    | MaxminSpec
    | LogSigmoidSpec
    | PamaSpec
    | PamaScalarSpec
    | HvDynamicSpec
    | GradDynamicSpec
)

AggregationName = Literal[
    "linear",
    "normalize_then_sum",
    "chebyshev",
    "maxmin",
    "log_sigmoid",
    "pama",
    "pama_scalar",
    "hv_dynamic",
    "grad_dynamic",
]


def _tagged(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


Aggregation = Annotated[
    Annotated[AggregationSpec, Field(discriminator="type")],
    BeforeValidator(_tagged, json_schema_input_type=AggregationName | AggregationSpec),
]
"""A tagged mapping, or its bare tag; all members are tabled in `methods.online.aggregators`."""
