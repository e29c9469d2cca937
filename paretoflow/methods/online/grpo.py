"""Group-relative policy optimisation on sampled answers, one reward for each objective."""

from __future__ import annotations

from trl import GRPOConfig, GRPOTrainer

from paretoflow.methods.online.aggregators import build
from paretoflow.methods.online.aggregators.base import group_normalised
from paretoflow.methods.online.base import OnlineMethod
from paretoflow.methods.online.trainer import (
    OnlineTrainer,
    online_arguments,
)
from paretoflow.methods.training.context import Run
from paretoflow.spec.methods import GrpoMethodSpec


class GrpoMethod(OnlineMethod[GrpoMethodSpec]):
    """GRPO on aggregated rewards, in standard deviations of the base's answers.

    References:
        Shao et al. 2024, arXiv 2402.03300, eq. 3 and 4 (loss averaged over the tokens of an answer,
        then over answers). Departures: (1) one gradient step for each sampled batch, so the ratio
        is one and never clipped; (2) KL to the base, not to a moving reference; (3) an aggregator
        stands between the rewards and the advantages: `linear` and `normalize_then_sum` are TRL's
        own two.
    """

    def _trainer(self, run: Run) -> GrpoTrainer:
        arguments = {"loss_type": "grpo", **online_arguments(run, self._spec, self._context)}
        config = GRPOConfig(**arguments, beta=self._spec.beta)
        aggregator = build(self._spec.aggregation, self._context, run.attempt.launch)
        return GrpoTrainer(run, self._context, config, aggregator, group_normalised)


class GrpoTrainer(OnlineTrainer, GRPOTrainer):
    """TRL's GRPO trainer on the shared prompts and the current weights."""
