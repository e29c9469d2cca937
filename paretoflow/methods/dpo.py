"""Direct preference optimisation on pairs that the weighted, standardised score ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from paretoflow.core.protocols import Checkpoint, TrainRequest
from paretoflow.methods.arguments import check_batch
from paretoflow.methods.context import MethodContext, Run
from paretoflow.methods.pair_trainer import PairBatch, PairTrainer
from paretoflow.methods.pairs import PairStream, PairTable
from paretoflow.methods.run import train_run
from paretoflow.spec.methods import DpoMethodSpec


class DpoMethod:
    """DPO whose preference is made from weights w: answer a beats answer b where w.(r_a - r_b) > 0.

    The scores r are standardised. With D the log-ratio to the base of the better answer minus that
    of the worse, the losses are: sigmoid -log s(beta D); hinge max(0, 1 - beta D); ipo (D' - 1/(2
    beta))^2, D' from log-ratios per token. By hand: beta = 0.1 and D = 5 give 0.4741, 0.5 and (for
    one-token answers) 0.

    References:
        Rafailov et al. 2023, arXiv 2305.18290, eq. 7. Azar et al. 2023, arXiv 2310.12036, eq. 17
        (ipo; per-token log-ratios as in TRL). Zhao et al. 2023, arXiv 2305.10425 (hinge).
        Departures: (1) pairs are the base's own answers, ranked by scores and not by people; (2)
        the reference is the base, also for a run that starts from a parent, so all points of a
        front answer to one reference.
    """

    def __init__(self, spec: DpoMethodSpec, context: MethodContext) -> None:
        check_batch(spec)
        self._spec = spec
        self._context = context
        self._table = PairTable(context.candidates, spec.pairs_per_prompt)

    def train(self, request: TrainRequest, report: Callable[[Checkpoint], None]) -> None:
        """Train one launch; see `core.protocols.Method`."""
        train_run(self._context, self._spec, request, report, self._trainer)

    def _trainer(self, run: Run) -> PairTrainer:
        stream = PairStream(self._table, run.request.seed)

        def make_batch(draws: Sequence[int]) -> PairBatch:
            pairs = stream.draw(draws, run.controller.weights)
            return PairBatch([self._table.example(pair) for pair in pairs], self._spec.beta)

        options = {"loss_type": [self._spec.loss], "beta": self._spec.beta}
        return PairTrainer(run, self._context.lm.tokenizer, options, make_batch)
