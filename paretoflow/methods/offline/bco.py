"""Binary classifier optimisation on answers that are good or bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn.functional import logsigmoid
from transformers import Trainer

from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import FloatArray
from paretoflow.methods.offline.ratio_trainer import RatioBatch, RatioTrainer
from paretoflow.methods.preferences.binary_labels import Thumb, ThumbTable
from paretoflow.methods.preferences.draws import Draws
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.run import TrainedMethod
from paretoflow.spec.methods import BcoMethodSpec


class BcoMethod(TrainedMethod[BcoMethodSpec]):
    """BCO on the base's answers; good ones have a weighted score above their prompt's quantile.

    With the implicit reward r = beta log pi/pi_base, the reward shift d and the importance u of a
    bad answer's prompt, the loss is -log s(r - d) for a good answer and -u log s(-(r - d)) for a
    bad one. By hand: d = 0.1; good r = 0.5, bad r = -0.2 with u = 2: log(1 + e^-0.4) = 0.513015 and
    2 log(1 + e^-0.3) = 1.108710, mean 0.810863.

    d is the mean r of all answers of the earlier steps, 0 in the first. It is read from the log
    that every saved state holds, so a resumed run continues with exactly the same shift.

    u is the prompt's odds of good to bad under a logistic classifier of its token counts, within
    `min_importance` and `max_importance`; see `thumbs`.

    References:
        Jung et al. 2024, arXiv 2404.04656. Departures: (1) answers are the base's own and their
        labels come from scores; (2) the shift is over both classes together, as in TRL's former
        trainer, and leaves out the current step, so that the division of a batch has no effect; (3)
        the classifier sees token counts and not embeddings, and both classes have equal weight in
        it, as in that trainer, which drew equally many of each; (4) the base is the reference, also
        for a run that starts from a parent.
    """

    def __init__(self, spec: BcoMethodSpec, context: MethodContext) -> None:
        super().__init__(spec, context)
        self._table = ThumbTable(context.candidates, spec.quantile)

    def effective(self, checkpoint: Checkpoint) -> FloatArray | None:
        """Return the objectives' shares in the good and bad labels; see `TrainedMethod`."""
        return self._table.effective(checkpoint.weights)

    def _trainer(self, run: Run) -> Trainer:
        thumbs = Draws(self._table.strata, run.attempt.launch.seed)

        def make_batch(draws: Sequence[int]) -> RatioBatch:
            drawn = thumbs.draw(draws, run.controller.weights)
            shift = reward_shift(trainer.state.log_history, self._spec.beta)
            loss = partial(bco_loss, thumbs=drawn, shift=shift, spec=self._spec)
            return RatioBatch([(thumb.prompt, thumb.answer) for thumb in drawn], loss)

        trainer = RatioTrainer(run, self._context, make_batch)
        return trainer


def reward_shift(log: Sequence[Mapping[str, Any]], beta: float) -> float:
    """Return the mean reward of all steps in the trainer's log; 0 before the first."""
    ratios = [float(entry["log_ratio"]) for entry in log if "log_ratio" in entry]
    return beta * float(np.mean(ratios)) if ratios else 0.0


def bco_loss(
    ratios: torch.Tensor, thumbs: Sequence[Thumb], shift: float, spec: BcoMethodSpec
) -> torch.Tensor:
    """Return the mean loss of the answers, given their log-ratios, shape (n,)."""
    signs = ratios.new_tensor([1.0 if thumb.good else -1.0 for thumb in thumbs])
    losses = -logsigmoid(signs * (spec.beta * ratios - shift))
    return (importance(thumbs, spec).to(losses) * losses).mean()


def importance(thumbs: Sequence[Thumb], spec: BcoMethodSpec) -> torch.Tensor:
    """Return the factor of each answer, shape (n,): 1, or the bounded odds of a bad one."""
    odds = torch.tensor([thumb.odds for thumb in thumbs])
    bounded = odds.clamp(spec.min_importance, spec.max_importance)
    plain = torch.tensor([thumb.good or not spec.match_prompts for thumb in thumbs])
    return torch.where(plain, 1.0, bounded)
