"""Aggregators: turn a batch's rewards, one per objective, into one advantage per answer.

    linear               weighted sum, then compared within the group
    normalize_then_sum   each reward normalised within its group, then the weighted sum
    chebyshev            worst weighted distance to the best of the base's answers
    maxmin               the worst objective of the batch, hard or smooth
    log_sigmoid          rewards centred on a reference of the prompt, saturated above it
    pama, pama_scalar    closed-form combination of smallest step, and its literal reading
    hv_dynamic           a plain sum, pushed harder while the sweep's hypervolume grows
    grad_dynamic         a plain sum whose weights follow the objectives' gradients

How to add one (the tag is `type` in the YAML, the module's name, and the key below): its knobs in
`spec/methods/aggregators.py`, its module here with a class `(spec, context, launch)` derived from
`base.Aggregator`, its line in `TAGS`, and its line in `AGGREGATORS` of
`tests/unit/methods/online/test_aggregators.py`. Formulas are functions on numpy arrays; nothing
here loads torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from paretoflow.methods.online.aggregators.base import Aggregator, RewardBatch
from paretoflow.spec.methods.aggregators import AggregationSpec

if TYPE_CHECKING:
    from paretoflow.core.launch import Launch
    from paretoflow.methods.training.context import MethodContext

__all__ = ["TAGS", "Aggregator", "RewardBatch", "build"]

TAGS = {
    "chebyshev": "chebyshev:Chebyshev",
    "grad_dynamic": "grad_dynamic:GradDynamic",
    "hv_dynamic": "hv_dynamic:HvDynamic",
    "linear": "linear:Linear",
    "log_sigmoid": "log_sigmoid:LogSigmoid",
    "maxmin": "maxmin:Maxmin",
    "normalize_then_sum": "normalize_then_sum:NormalizeThenSum",
    "pama": "pama:Pama",
    "pama_scalar": "pama:PamaScalar",
}
"""YAML tag to `module:Name` in this package."""


def build(spec: AggregationSpec, context: MethodContext, launch: Launch) -> Aggregator:
    """Return the aggregator that the spec names, for one launch."""
    module, name = TAGS[spec.type].split(":")
    built = getattr(import_module(f"{__name__}.{module}"), name)(spec, context, launch)
    aggregator: Aggregator = built
    return aggregator
