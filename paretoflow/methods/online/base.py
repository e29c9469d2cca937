"""Base class of the methods that sample from the policy in training."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import FloatArray
from paretoflow.methods.preferences.effective import EFFECTIVE
from paretoflow.methods.training.run import TrainedMethod
from paretoflow.spec.methods import MethodSpec

S = TypeVar("S", bound=MethodSpec)


class OnlineMethod(TrainedMethod[S]):
    """A method that learns from groups of newly sampled answers to the same prompt."""

    def effective(self, checkpoint: Checkpoint) -> FloatArray | None:
        """Return the objectives' shares in the margins of all steps; see `TrainedMethod`."""
        keys = [EFFECTIVE + name for name in self._context.objective_names]
        if not all(key in checkpoint.metrics for key in keys):
            return None
        return np.array([checkpoint.metrics[key] for key in keys])
