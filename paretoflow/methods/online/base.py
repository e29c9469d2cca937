"""What the methods share that sample from the policy as they train."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from paretoflow.core.errors import SpecError
from paretoflow.core.protocols import Checkpoint, Parallel
from paretoflow.core.values import FloatArray
from paretoflow.methods.preferences.effective import EFFECTIVE
from paretoflow.methods.training.context import MethodContext
from paretoflow.methods.training.run import TrainedMethod
from paretoflow.spec.methods import MethodSpec, OnlineMethodBase
from paretoflow.spec.methods.aggregators import AggregationSpec, GradDynamicSpec

S = TypeVar("S", bound=MethodSpec)


class OnlineMethod(TrainedMethod[S]):
    """A method that learns from groups of fresh answers to the same prompt.

    Raises:
        SpecError: If the batch holds no whole groups, the forward passes cannot share it evenly, or
            the temperature is 0.
    """

    def __init__(self, spec: S, context: MethodContext) -> None:
        super().__init__(spec, context)
        if isinstance(spec, OnlineMethodBase) and spec.batch_size % spec.generations:
            raise SpecError(
                f"a batch of {spec.batch_size} answers holds no whole groups of {spec.generations}",
                "method.batch_size",
                "choose a multiple of method.generations",
            )
        if context.generation.temperature == 0:
            raise SpecError(
                f"{spec.type} learns from differences between samples, and temperature 0 gives "
                "none",
                "model.generation.temperature",
                "set it above 0, for instance to 1.0",
            )

    def effective(self, checkpoint: Checkpoint) -> FloatArray | None:
        """Return how the objectives shared in the margins of all steps; see `TrainedMethod`."""
        keys = [EFFECTIVE + name for name in self._context.objective_names]
        if not all(key in checkpoint.metrics for key in keys):
            return None
        return np.array([checkpoint.metrics[key] for key in keys])


def check_alone(aggregation: AggregationSpec, parallel: Parallel) -> None:
    """Refuse an aggregation that takes gradients of its own where ranks share the training.

    Raises:
        SpecError: If it is `grad_dynamic` and there are several ranks, or ZeRO: gradients that are
            taken by hand pass both by.
    """
    if isinstance(aggregation, GradDynamicSpec) and not parallel.alone:
        raise SpecError(
            f"got grad_dynamic for {parallel.ranks} ranks at zero {parallel.zero}; allowed: 1 rank "
            "at zero 0",
            "method.aggregation",
            "change engine.resources, or the aggregation, for instance to hv_dynamic",
        )
