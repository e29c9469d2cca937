"""Kahneman-Tversky optimisation on answers that are good or bad.

Departures from TRL, beside those of `ratio_trainer` (`tests/contracts/test_trl_hooks_offline.py`):

- `batch_of`: each prompt comes a second time, with the answer of the next draw.
- `_compute_loss`: the log-ratio of these is measured without gradient, under the policy and with
  the adapter switched off, and logged as `kl`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from transformers import Trainer

from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import FloatArray
from paretoflow.methods.offline.ratio_trainer import RatioBatch, RatioTrainer, forward, padded
from paretoflow.methods.preferences.binary_labels import Thumb, ThumbTable
from paretoflow.methods.preferences.draws import Draws, Stratum
from paretoflow.methods.preferences.labels import Labels
from paretoflow.methods.preferences.pairs import PairTable
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.run import TrainedMethod
from paretoflow.spec.methods import KtoMethodSpec

_OTHER = "other_"
"""Prefix of the inputs whose answers belong to other prompts."""


class KtoMethod(TrainedMethod[KtoMethodSpec]):
    """KTO: no pairs, but answers of which each is good or bad.

    Good ones have a weighted, standardised score above their prompt's quantile; of pairs that
    people labelled the chosen answers are good and the rejected bad. With an answer's log-ratio r
    to the base and the level z, the loss is desirable (1 - s(beta (r - z))) for a good answer and
    undesirable (1 - s(beta (z - r))) for a bad one. By hand: beta = 0.1, z = 1, a good r = 5 and a
    bad r = -2: 1 - s(0.4) = 0.401312 and 1 - s(0.3) = 0.425557, mean 0.413435.

    z is the mean log-ratio of answers to other prompts in the step before, at least 0, and 0 in the
    first step. It is read from the log that every saved state holds, so a resumed run continues
    with exactly the same level.

    References:
        Ethayarajh et al. 2024, arXiv 2402.01306, eq. 8. Departures: (1) where people gave no
        pairs, answers are the base's own and their labels come from scores; (2) z is that of the
        step before, not of the same batch, so that the division of a batch has no effect; (3) the
        base is the reference, also for a run that starts from a parent.
    """

    def __init__(self, spec: KtoMethodSpec, context: MethodContext) -> None:
        super().__init__(spec, context)
        self._table = GoodAndBad(context, spec.quantile)

    def effective(self, checkpoint: Checkpoint) -> FloatArray | None:
        """Return the objectives' shares in the good and bad labels; see `TrainedMethod`."""
        return self._table.effective(checkpoint.weights)

    def _trainer(self, run: Run) -> Trainer:
        thumbs = Draws(self._table.strata, run.attempt.launch.seed)

        def make_batch(draws: Sequence[int]) -> RatioBatch:
            drawn = thumbs.draw(draws, run.controller.weights)
            loss = partial(
                kto_loss,
                good=torch.tensor([thumb.good for thumb in drawn]),
                level=level_of(trainer.state.log_history),
                spec=self._spec,
            )
            return RatioBatch([(thumb.prompt, thumb.answer) for thumb in drawn], loss)

        def others(draws: Sequence[int]) -> list[tuple[int, int]]:
            drawn = thumbs.draw([n + 1 for n in draws], run.controller.weights)
            return [(thumb.prompt, thumb.answer) for thumb in drawn]

        trainer = KtoTrainer(run, self._context, make_batch, others)
        return trainer


class GoodAndBad:
    """All answers with a label, by scores or by people, for any weights.

    Args:
        context: Has the answers.
        quantile: Share of the scored answers to a prompt that are bad.
    """

    def __init__(self, context: MethodContext, quantile: float) -> None:
        candidates = context.candidates
        self._given = candidates.given
        self._scored = ThumbTable(candidates, quantile)
        self._pairs = PairTable(candidates, 1)
        self._labels = Labels.of(candidates, even=False)

    def strata(self, weights: FloatArray) -> list[Stratum[Thumb]]:
        """Return the answers to draw, by objective and by source.

        Args:
            weights: Shape (m,).
        """
        share = self._given.share if self._given is not None else 0.0
        labelled = [
            Stratum(
                share * stratum.share,
                [
                    Thumb(int(prompt), int(answer), good, 1.0)
                    for prompt, *two in stratum.items
                    for answer, good in zip(two, (True, False), strict=True)
                ],
            )
            for stratum in self._labels.strata(weights)
        ]
        return [*labelled, *self._scored.strata(weights)]

    def effective(self, weights: FloatArray) -> FloatArray | None:
        """Return each objective's share in the labels, shape (m,)."""
        table = self._pairs if self._labels.rows else self._scored
        return table.effective(weights)


class KtoTrainer(RatioTrainer):
    """Trains on answers, and measures those to other prompts.

    Args:
        others: Maps draw numbers to (prompt, answer) indices, whose answers are taken.
    """

    def __init__(
        self,
        run: Run,
        context: MethodContext,
        make_batch: Callable[[Sequence[int]], RatioBatch],
        others: Callable[[Sequence[int]], list[tuple[int, int]]],
    ) -> None:
        super().__init__(run, context, make_batch)
        self._others = others

    def batch_of(self, draws: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return the draws' answers, and their prompts with the answers of the next draws."""
        batch = super().batch_of(draws)
        table = self._candidates
        prompts = [table.prompt_ids[p] for p, _ in self._answers]
        answers = [table.completion_ids[p][a] for p, a in self._others(draws)]
        apart = padded(prompts, answers, self._pad_id)
        return batch | {_OTHER + name: tensor for name, tensor in apart.items()}

    def _compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool
    ) -> torch.Tensor:
        others = {n.removeprefix(_OTHER): v for n, v in inputs.items() if n.startswith(_OTHER)}
        others["ref_logps"] = torch.zeros_like(inputs["ref_logps"])
        with torch.no_grad():
            policy = forward(model, others)[1]
            with self.accelerator.unwrap_model(model).disable_adapter():
                base = forward(model, others)[1]
        kl = self.accelerator.gather(policy - base).mean().item()
        self._metrics["train"]["kl"].append(kl)
        self._total_train_tokens += int(self._total(others["attention_mask"].sum()))
        return super()._compute_loss(model, inputs, return_outputs)


def level_of(log: Sequence[Mapping[str, Any]]) -> float:
    """Return z: the `kl` of the last step in the trainer's log, at least 0; 0 before the first."""
    return max(next((float(e["kl"]) for e in reversed(log) if "kl" in e), 0.0), 0.0)


def kto_loss(
    ratios: torch.Tensor, good: torch.Tensor, level: float, spec: KtoMethodSpec
) -> torch.Tensor:
    """Return the mean loss of b answers.

    Args:
        ratios: Log-ratios of the answers to the base, shape (b,).
        good: Whether each is good, shape (b,).
        level: z.
        spec: Has beta and the weights of both kinds.
    """
    good = good.to(ratios.device)
    gains = spec.beta * (ratios - level)
    losses = torch.where(
        good,
        spec.desirable_weight * (1 - torch.sigmoid(gains)),
        spec.undesirable_weight * (1 - torch.sigmoid(-gains)),
    )
    return losses.mean()
