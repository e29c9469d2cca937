"""Base classes of the methods on pairs of answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

from transformers import Trainer

from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import FloatArray
from paretoflow.methods.offline.pair_trainer import PairBatch, PairTrainer
from paretoflow.methods.offline.ratio_trainer import RatioBatch, RatioTrainer
from paretoflow.methods.preferences.pairs import Pair, PairStream, PairTable
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.run import TrainedMethod
from paretoflow.spec.methods import MethodSpec
from paretoflow.spec.methods.offline import PairMethodSpec

P = TypeVar("P", bound=PairMethodSpec)
S = TypeVar("S", bound=MethodSpec)


class OnPairs(TrainedMethod[S]):
    """A method on pairs ranked by the weighted, standardised score, or by people.

    Args:
        spec: The method's settings.
        context: Has the answers.
        pairs_per_prompt: Most pairs that the scored answers to a prompt give.
    """

    def __init__(self, spec: S, context: MethodContext, pairs_per_prompt: int) -> None:
        super().__init__(spec, context)
        self._table = PairTable(context.candidates, pairs_per_prompt)

    def effective(self, checkpoint: Checkpoint) -> FloatArray | None:
        """Return the objectives' shares in the margins of the pairs; see `TrainedMethod`."""
        return self._table.effective(checkpoint.weights)


class PairMethod(OnPairs[P]):
    """A method with one of TRL's losses on pairs."""

    def __init__(self, spec: P, context: MethodContext) -> None:
        super().__init__(spec, context, spec.pairs_per_prompt)

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


class RatioPairMethod(OnPairs[S]):
    """A method with a loss of its own, of log-ratios to the base, on pairs."""

    @abstractmethod
    def batch(self, pairs: Sequence[Pair]) -> RatioBatch:
        """Return the answers of drawn pairs, with their loss."""

    def _trainer(self, run: Run) -> Trainer:
        stream = PairStream(self._table, run.attempt.launch.seed)

        def make_batch(draws: Sequence[int]) -> RatioBatch:
            return self.batch(stream.draw(draws, run.controller.weights))

        return RatioTrainer(run, self._context, make_batch)
