"""Multi-action-head DPO: one backbone and one output head for each objective, mixed at inference.

Departures from TRL, beside those of `pair_trainer` (each has a test in
`tests/contracts/test_trl_hooks_heads.py`):

- `__init__` refuses an adapter on the output layer, because TRL's own loss would bypass it; the
  layer is hidden from TRL while the trainer is built.
- `_compute_loss`: every pair is answered by the head of its objective, in one forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from paretoflow.core.protocols import AttemptContext, Checkpoint, Served
from paretoflow.core.values import FloatArray
from paretoflow.lm.adapters import known_warnings_silenced
from paretoflow.lm.saved_adapter import ADAPTER
from paretoflow.methods.conditioned.heads import (
    describe_heads,
    head_layer,
    head_options,
    mixed,
    start_alike,
)
from paretoflow.methods.conditioned.serving import served_points, serving
from paretoflow.methods.offline.pair_trainer import PairBatch, PairTrainer
from paretoflow.methods.preferences.pairs import PairStream, PairTable
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.run import train_run
from paretoflow.spec.methods.conditioned_heads import MahDpoMethodSpec


class MahDpoMethod:
    """MAH-DPO on the base's scored answers: K heads on one backbone, one artifact for all weights.

    Objective h ranks pairs of its own, and its pairs are scored through head h. With D the
    log-ratio to the base of the better answer minus that of the worse, under that head,

        loss = (1/K) sum_h mean over the pairs of h of -log s(beta D)

    and at inference logits = sum_h w_h logits_h. A launch's weights do not enter the training.

    By hand: beta = 0.1, two objectives with one pair each, D = 5 under head 0 and D = -5 under head
    1: losses 0.474077 and 0.974077, their mean 0.724077.

    References:
        Shen et al. 2025, arXiv 2510.01167, and its code (beta = 0.1). Departures: (1) a head is the
        base's own output layer plus a low-rank delta, so that the artifact is an ordinary PEFT
        adapter and embeddings need not be untied; the low-rank factors start equal, without noise;
        (2) an optimiser step takes `batch_size` pairs of every objective, so that every step has
        every objective; (3) pairs are the base's own answers, ranked by scores; (4) AdamW with the
        schedule of all methods in place of RMSprop; (5) the logits of the pairs are computed in
        full: TRL's fused output layer ignores heads; (6) beta is 1 by default.
    """

    def __init__(self, spec: MahDpoMethodSpec, context: MethodContext) -> None:
        self._spec = spec
        self._context = context
        self._names = context.objective_names
        self._table = PairTable(context.candidates, spec.pairs_per_prompt)

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        """Train one launch; see `core.protocols.Method`."""
        served = served_points(self._spec.serve, len(self._names), self._ask)
        options = head_options(self._context.lm, self._context.lora, len(self._names))
        report = self._described(attempt, serving(report, served))
        train_run(self._context, self._spec, attempt, report, self._trainer, options)

    def _trainer(self, run: Run) -> HeadPairTrainer:
        heads = len(self._names)
        layer = head_layer(run.model, heads)
        if run.attempt.launch.parent is None:
            start_alike(layer, heads)
        streams = [PairStream(self._table, run.attempt.launch.seed) for _ in range(heads)]

        def make_batch(draws: Sequence[int]) -> PairBatch:
            pairs = [s.draw(draws, w) for s, w in zip(streams, np.eye(heads), strict=True)]
            examples = [self._table.example(pair) for own in pairs for pair in own]
            return PairBatch(examples, self._spec.beta)

        arguments = {"loss_type": ["sigmoid"], "beta": self._spec.beta}
        with _hidden_head(run.model):
            return HeadPairTrainer(run, self._context.lm.tokenizer, arguments, make_batch)

    def _ask(self, weights: FloatArray) -> Served:
        shares = torch.tensor(weights, dtype=torch.float32)[None]
        named = dict(zip(self._names, (float(w) for w in weights), strict=True))
        return Served(weights, {"head_weights": named}, policy=partial(mixed, shares=shares))

    def _described(
        self, attempt: AttemptContext, report: Callable[[Checkpoint], None]
    ) -> Callable[[Checkpoint], None]:
        def describe(checkpoint: Checkpoint) -> None:
            if attempt.parallel.rank == 0:
                rank = head_layer(checkpoint.model, len(self._names)).r[ADAPTER]
                describe_heads(checkpoint.folder, self._names, rank // len(self._names))
            report(checkpoint)

        return describe


class HeadPairTrainer(PairTrainer):
    """Trains on batches with equally many pairs of every objective, one objective after another."""

    def __init__(self, run: Run, *given: Any) -> None:
        super().__init__(run, *given)
        self._heads = len(run.controller.weights)

    def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> torch.Tensor:
        shares = head_of_rows(len(inputs["input_ids"]), self._heads)
        with mixed(self.accelerator.unwrap_model(model), shares):
            tokens = {name: inputs[name] for name in ("input_ids", "attention_mask")}
            logits = model(**tokens, use_cache=False).logits
        chosen, rejected = answer_logprobs(logits, inputs).chunk(2)
        losses = PairLosses.of(
            chosen - inputs["ref_chosen_logps"], rejected - inputs["ref_rejected_logps"], self.beta
        )
        self._log_batch(inputs["attention_mask"], losses)
        return losses.values.mean()

    def _log_batch(self, attention_mask: torch.Tensor, losses: PairLosses) -> None:
        metrics = self._metrics["train"]
        seen = self.accelerator.gather_for_metrics(attention_mask.sum()).sum().item()
        self._total_train_tokens += seen
        metrics["num_tokens"] = [self._total_train_tokens]
        margins = self.accelerator.gather_for_metrics(losses.margins)
        metrics["rewards/margins"].append(margins.mean().item())
        metrics["rewards/accuracies"].append((margins > 0).float().mean().item())


@dataclass(frozen=True)
class PairLosses:
    """DPO's loss of b pairs.

    Args:
        values: -log s(margin), shape (b,).
        margins: beta times the difference of the log-ratios, detached, shape (b,).
    """

    values: torch.Tensor
    margins: torch.Tensor

    @classmethod
    def of(
        cls, better: torch.Tensor, worse: torch.Tensor, beta: float | torch.Tensor
    ) -> PairLosses:
        """Compare the log-ratios to the base of better and worse answers, shape (b,) each."""
        margins = beta * (better - worse)
        return cls(-functional.logsigmoid(margins), margins.detach())


def head_of_rows(rows: int, heads: int) -> torch.Tensor:
    """Return the head of each row, as ones and zeros, shape (rows, heads).

    Better answers come first, then the worse ones in the same order; each part has equally many
    rows of every objective, one objective after another. By hand: 4 rows and 2 heads are heads 0,
    1, 0, 1.
    """
    each = rows // (2 * heads)
    return torch.eye(heads).repeat_interleave(each, dim=0).repeat(2, 1)


def answer_logprobs(logits: torch.Tensor, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the log-probability of each answer in nats, shape (b,).

    Args:
        logits: Shape (b, t, vocabulary).
        inputs: `input_ids` and `completion_mask`, 1 at an answer's tokens, shape (b, t) each.
    """
    ids = inputs["input_ids"][:, 1:]
    logits = logits[:, :-1].float()
    chosen = logits.gather(-1, ids[..., None])[..., 0] - logits.logsumexp(-1)
    return (chosen * inputs["completion_mask"][:, 1:]).sum(-1)


@contextmanager
def _hidden_head(model: Any) -> Iterator[None]:
    """Hide the output layer's adapter in the block."""
    base = model.get_base_model()
    plain = base.get_output_embeddings().get_base_layer()
    base.get_output_embeddings = lambda: plain
    try:
        with known_warnings_silenced():
            yield
    finally:
        del base.get_output_embeddings
