"""Identity preference optimisation on pairs sampled from a mixture of policy and base.

Departures from TRL, beside those of `online.trainer` (`tests/contracts/test_trl_hooks_online2.py`):

- `_generate_single_turn`: answers are drawn from the mixture, token by token.
- Advantages: chosen so that TRL's gradient equals that of the loss on pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from trl import GRPOConfig, GRPOTrainer

from paretoflow.core.values import FloatArray
from paretoflow.lm.base import LanguageModel, evaluating
from paretoflow.lm.generation import nucleus
from paretoflow.lm.prefill import extend, prefill
from paretoflow.lm.stops import StopTexts
from paretoflow.methods.online.aggregators import Aggregator, RewardBatch
from paretoflow.methods.online.aggregators.base import group_normalised, weighted_margins
from paretoflow.methods.online.base import OnlineMethod
from paretoflow.methods.online.trainer import OnlineTrainer, online_arguments
from paretoflow.methods.preferences.pairs import MARGIN_DECIMALS
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.spec.methods import IpoMdMethodSpec
from paretoflow.spec.models import GenerationSpec


class IpoMdMethod(OnlineMethod[IpoMdMethodSpec]):
    """IPO-MD: the loss is (h - s/(2 beta))^2 on two sampled answers to a prompt.

    h is the first answer's log-ratio to the base per token minus the second's, and s is 1, -1 or 0
    if the first answer has the larger, the smaller or the same weighted, standardised score. Both
    are drawn from the policy with logits (1 - mixture) times its own plus mixture times the base's.

    References:
        Calandriello et al. 2024, arXiv 2403.08635, sec. 4. Departures: (1) the judge is the score
        under the current weights, certain of its preference, not a trained preference model;
        answers with equal scores are pulled to h = 0, as by a judge that tosses a coin; (2)
        log-ratios are means over tokens, as in `ipo`; (3) the log-ratios that set a pair's
        remaining margin are those of sampling, without the adapter's dropout, and at the sampling
        temperature.
    """

    def _trainer(self, run: Run) -> IpoMdTrainer:
        config = GRPOConfig(
            **online_arguments(run, self._spec, self._context), beta=0.0, loss_type="grpo"
        )
        return IpoMdTrainer(run, self._context, config, self._spec)


class PairJudge(Aggregator):
    """Converts each pair's scores and log-ratios to the advantages of the loss on pairs.

    `log_ratios` are those of the next batch, shape (b, 2); the trainer sets them.
    """

    def __init__(self, beta: float) -> None:
        self._beta = beta
        self._loss = 0.0
        self.log_ratios: FloatArray = np.zeros((0, 2))

    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, 2)."""
        lacking = lacking_margins(batch.rewards @ batch.weights, self.log_ratios, self._beta)
        self._loss = float((lacking**2).mean())
        # TRL takes the mean over both answers: 2 for that, 2 for the square
        return 4 * np.stack([lacking, -lacking], axis=1)

    def margins(self, batch: RewardBatch) -> FloatArray | None:
        """Return each objective's contribution to the differences within pairs, shape (m,)."""
        return weighted_margins(batch.weights, batch.rewards)

    def metrics(self) -> Mapping[str, float]:
        """Return the loss on pairs; the trainer's own has its gradient, but not its value."""
        return {"pair_loss": self._loss}


class IpoMdTrainer(OnlineTrainer, GRPOTrainer):
    """TRL's GRPO trainer on pairs from the mixture."""

    def __init__(
        self, run: Run, context: MethodContext, config: GRPOConfig, spec: IpoMdMethodSpec
    ) -> None:
        self._judge = PairJudge(spec.beta)
        self._mixture = spec.mixture
        self._log_ratios = torch.zeros(0)
        super().__init__(run, context, config, self._judge, group_normalised)

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], *_: Any
    ) -> tuple[list[list[int]], None]:
        answers, self._log_ratios = sample_mixture(
            self.model, self._context.lm, prompt_ids, self._mixture, self._context.generation
        )
        return answers, None

    def _batch(self, inputs: list[dict[str, Any]], completion_mask: torch.Tensor) -> RewardBatch:
        ratios = self.accelerator.gather(self._log_ratios).double().cpu().numpy()
        self._judge.log_ratios = ratios.reshape(-1, 2)
        return super()._batch(inputs, completion_mask)


def lacking_margins(utility: FloatArray, log_ratios: FloatArray, beta: float) -> FloatArray:
    """Return the shortfall of each pair's margin h from its target, shape (b,).

    By hand: beta = 0.5, so that the target is 1 or -1, and log-ratios 0.3 and 0.1: scores 2 and 1
    lack 1 - 0.2 = 0.8, scores 1 and 2 lack -1.2, and equal scores lack -0.2.

    Args:
        utility: Weighted, standardised scores of both answers, shape (b, 2).
        log_ratios: log pi - log pi_base of both answers per token, shape (b, 2).
        beta: tau in the paper.

    References:
        Azar et al. 2023, arXiv 2310.12036, eq. 17.
    """
    preference = np.sign(np.round(utility[:, 0] - utility[:, 1], MARGIN_DECIMALS))
    margins: FloatArray = preference / (2 * beta) - (log_ratios[:, 0] - log_ratios[:, 1])
    return margins


def sample_mixture(
    model: Any,
    lm: LanguageModel,
    prompt_ids: Sequence[Sequence[int]],
    mixture: float,
    gen: GenerationSpec,
) -> tuple[list[list[int]], torch.Tensor]:
    """Return an answer to each of b prompts, and their log-ratios per token, shape (b,).

    It draws with the global random state. An answer ends with the end-of-text token or a stop text,
    or is `gen.max_new_tokens` long.

    Args:
        model: A model with an adapter; its mode is restored.
        lm: The base.
        prompt_ids: Token ids of the prompts, none empty.
        mixture: Share of the base's logits; b in the paper.
        gen: Temperature, above 0, also that of the log-ratios; nucleus of the mixture; length.
    """
    eos, stops = torch.tensor(sorted(lm.eos_ids), device=lm.device), StopTexts.of(lm, gen)
    drawn, log_ratios, alive = [], [], [torch.ones(len(prompt_ids), 1, device=lm.device).bool()]
    with evaluating(model):
        policy = prefill(model, lm, prompt_ids)
        with model.disable_adapter():
            base = prefill(model, lm, prompt_ids)
        for _ in range(gen.max_new_tokens):
            own, other = policy.logits / gen.temperature, base.logits / gen.temperature
            mixed = nucleus((1 - mixture) * own + mixture * other, gen.top_p)
            tokens = torch.multinomial(mixed.softmax(-1), 1)
            drawn.append(tokens)
            ratios = own.log_softmax(-1) - other.log_softmax(-1)
            log_ratios.append(ratios.gather(1, tokens))
            alive.append(alive[-1] & ~torch.isin(tokens, eos) & ~_stopped(stops, drawn))
            if len(drawn) == gen.max_new_tokens or not alive[-1].any():
                break
            extend(model, lm, policy, tokens, torch.ones_like(tokens))
            with model.disable_adapter():
                extend(model, lm, base, tokens, torch.ones_like(tokens))
    mask = torch.cat(alive[:-1], dim=1)
    means = (torch.cat(log_ratios, dim=1) * mask).sum(dim=1) / mask.sum(dim=1)
    rows = zip(torch.cat(drawn, dim=1).cpu(), mask.cpu(), strict=True)
    return [row[kept].tolist() for row, kept in rows], means


def _stopped(stops: StopTexts, drawn: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return which answers' last tokens complete a stop text, shape (b, 1)."""
    if not stops.texts:
        return torch.zeros_like(drawn[-1]).bool()
    rows = torch.cat(list(drawn), dim=1).tolist()
    return torch.tensor([[stops.ended(row)] for row in rows], device=drawn[-1].device)
