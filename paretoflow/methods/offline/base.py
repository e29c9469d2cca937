"""Base class of the methods on pairs of the base's answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

from transformers import Trainer

from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import FloatArray
from paretoflow.methods.offline.pair_trainer import PairBatch, PairTrainer
from paretoflow.methods.preferences.pairs import PairStream, PairTable
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.run import TrainedMethod
from paretoflow.spec.methods.offline import PairMethodSpec

P = TypeVar("P", bound=PairMethodSpec)


class PairMethod(TrainedMethod[P]):
    """A method with one of TRL's losses on pairs ranked by the weighted, standardised score."""

    def __init__(self, spec: P, context: MethodContext) -> None:
        super().__init__(spec, context)
        self._table = PairTable(context.candidates, spec.pairs_per_prompt)

    def effective(self, checkpoint: Checkpoint) -> FloatArray | None:
        """Return the objectives' shares in the margins of the pairs; see `TrainedMethod`."""
        return self._table.effective(checkpoint.weights)

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return the method's options for `DPOConfig`, without beta."""

    def batch(self, stream: PairStream, draws: Sequence[int], weights: FloatArray) -> PairBatch:
        """Return the pairs of the draws under the current weights, shape (m,)."""
        pairs = stream.draw(draws, weights)
        return PairBatch([stream.table.example(pair) for pair in pairs], self._spec.beta)

    def _trainer(self, run: Run) -> Trainer:
        stream = PairStream(self._table, run.attempt.launch.seed)

        def make_batch(draws: Sequence[int]) -> PairBatch:
            return self.batch(stream, draws, run.controller.weights)

        options = {"beta": self._spec.beta, **self.options()}
        return PairTrainer(run, self._context.lm.tokenizer, options, make_batch)
