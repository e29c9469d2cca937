"""What methods share that train with one trainer, from a launch's start to its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from transformers import Trainer

from paretoflow.core.protocols import Checkpoint, TrainRequest
from paretoflow.core.values import FloatArray
from paretoflow.methods.training.arguments import check_batch
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.run import train_run
from paretoflow.spec.methods import MethodSpec

S = TypeVar("S", bound=MethodSpec)


class TrainedMethod(ABC, Generic[S]):
    """A method that only says how its trainer is built."""

    def __init__(self, spec: S, context: MethodContext) -> None:
        check_batch(spec)
        self._spec = spec
        self._context = context

    def train(self, request: TrainRequest, report: Callable[[Checkpoint], None]) -> None:
        """Train one launch; see `core.protocols.Method`."""

        def told(checkpoint: Checkpoint) -> None:
            report(replace(checkpoint, effective=self.effective(checkpoint)))

        train_run(self._context, self._spec, request, told, self._trainer)

    def effective(self, checkpoint: Checkpoint) -> FloatArray | None:
        """Return how the objectives shared in what was learned under the weights of a checkpoint.

        Shape (m,), on the simplex; None where it cannot be said.
        """
        return None

    @abstractmethod
    def _trainer(self, run: Run) -> Trainer:
        """Return the trainer of one run."""
