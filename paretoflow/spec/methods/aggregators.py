"""Aggregators of online methods: from rewards, one for each objective, to advantages.

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
    """Weight the standardised rewards, then compare within the group."""

    type: Literal["linear"] = "linear"


class NormalizeThenSumSpec(Spec):
    """Normalise each reward within its group first, so that all have equal spread; GDPO."""

    type: Literal["normalize_then_sum"] = "normalize_then_sum"


class ChebyshevSpec(Spec):
    """Reward an answer by its worst weighted distance to the best of the base's own answers.

    Reaches points in concave parts of the front, which no weighted sum prefers.
    """

    type: Literal["chebyshev"]
    augmentation: float = Field(0.05, ge=0)
    """Share of the weighted sum of all distances that is added to the worst one. 0 is the pure
    form, in which answers that differ only in other objectives are equal."""


class MaxminSpec(Spec):
    """Train on the objective that is worst in the batch, among those that have weight."""

    type: Literal["maxmin"]
    tau: float | None = Field(None, gt=0)
    """Smooth form: shares proportional to weight times exp(-tau mean reward); unset: the worst
    objective alone, independent of its weight."""


class LogSigmoidSpec(Spec):
    """Centre each reward on the base's level for the prompt, and saturate rewards above it."""

    type: Literal["log_sigmoid"]
    ref_quantile: float = Field(0.85, gt=0, lt=1)
    """Quantile of the base's scored answers to a prompt that is the prompt's reference reward."""


class PamaSpec(Spec):
    """Combine the objectives' advantages to the smallest joint step, led by the worst objective."""

    type: Literal["pama"]
    noon: bool = True
    """Drop negative advantages ("no negative"), as published; false keeps their sign."""
    levels: Literal["gains", "advantages"] = "gains"
    """Measure of which objective lags. gains: progress of each from the base's mean to its best
    answers; advantages: the means of their advantages, as published with value heads. For
    advantages within groups these means are noise; for comparison only."""
    weighted: bool = True
    """Divide by the weights before objectives are compared, so that different weights give
    different points; false: weights only select the objectives, and all runs seek one point."""


class PamaScalarSpec(Spec):
    """PAMA read literally: one number is the advantage of every token. For comparison."""

    type: Literal["pama_scalar"]
    noon: bool = True
    """Drop negative advantages ("no negative"), as published; false keeps their sign."""


class HvDynamicSpec(Spec):
    """Scale advantages by 0.5 to 2: more while the run adds hypervolume."""

    type: Literal["hv_dynamic"]
    combine: Combination = "linear"
    """Combination of the rewards before scaling."""
    every: int = Field(5, ge=1)
    """Steps between two looks at the validation prompts."""
    measure: Literal["run", "sweep"] = "run"
    """Front that a look's point is compared with. run: the base and this run's earlier looks, in
    units of the mean improvement so far, so that the factor uses its whole range; sweep: the
    sweep's front at launch, in units of the whole box, where most looks add nothing and the factor
    stays at 0.5.
    """
    scales: Literal["advantages", "rewards"] = "advantages"
    """Quantity that the factor multiplies. "rewards" is the published form, which group
    normalisation cancels; for comparison."""


class GradDynamicSpec(Spec):
    """Move the weights towards objectives whose gradient agrees with the sum of all gradients.

    Costs one more forward and backward pass for each objective and step; one rank only.
    """

    type: Literal["grad_dynamic"]
    combine: Combination = "linear"
    """Combination of the rewards under the current weights."""
    rate: float = Field(0.1, gt=0)
    """Change of a weight's logarithm per unit of influence."""
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
"""A tagged mapping, or its bare tag; `methods.online.aggregators` lists all members."""
