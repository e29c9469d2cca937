"""REINFORCE with a leave-one-out baseline on sampled answers, one reward per objective."""

from __future__ import annotations

import torch
from trl import RLOOConfig, RLOOTrainer

from paretoflow.methods.online.aggregators import RewardBatch, build
from paretoflow.methods.online.aggregators.base import leave_one_out
from paretoflow.methods.online.base import OnlineMethod
from paretoflow.methods.online.trainer import (
    OnlineTrainer,
    online_arguments,
)
from paretoflow.methods.training.context import Run
from paretoflow.spec.methods import RlooMethodSpec


class RlooMethod(OnlineMethod[RlooMethodSpec]):
    """RLOO on aggregated rewards, in standard deviations of the base's answers.

    References:
        Ahmadian et al. 2024, arXiv 2402.14740, eq. 7 and 8. Departures: (1) KL to the base, also
        for a run that starts from a parent; (2) an aggregator stands between the rewards and the
        advantages; the KL term is not aggregated but added to the advantages, which is the
        published form where the aggregator is `linear`.
    """

    def _trainer(self, run: Run) -> RlooTrainer:
        config = RLOOConfig(
            **online_arguments(run, self._spec, self._context), beta=self._spec.beta
        )
        aggregator = build(self._spec.aggregation, self._context, run.attempt.launch)
        return RlooTrainer(run, self._context, config, aggregator, leave_one_out)


class RlooTrainer(OnlineTrainer, RLOOTrainer):
    """TRL's RLOO trainer on the shared prompts and the current weights."""

    def _kept(self, batch: RewardBatch, advantages: torch.Tensor) -> torch.Tensor:
        """Return the KL term: TRL's advantages are linear in it and in the weighted rewards."""
        return advantages - self._own(leave_one_out(batch.rewards @ batch.weights), advantages)

    def _loss_share(self) -> float:
        return 1.0 / self.current_gradient_accumulation_steps
