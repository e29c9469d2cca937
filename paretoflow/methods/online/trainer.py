"""Mixin for TRL's online trainers: shared prompts, rewards and weights.

A method on one of them derives its trainer from `OnlineTrainer` and TRL's, in this order, and gives
it TRL's config and the way TRL compares answers within a group (`grpo.py` does, in thirty lines).

Departures from TRL (each has a test in `tests/contracts/test_trl_hooks.py` or
`tests/contracts/test_trl_hooks_online.py`):

- `_prepare_inputs`: copies the current weights to `reward_weights`, for TRL's log.
- `_tokenize_prompts`: prompts have the token ids of the shared stage.
- `_generate_single_turn`: an answer ends where it completes a stop text.
- reward functions: they score the text of the `completion_ids` that TRL passes.
- `_calculate_rewards`: keeps the rewards of all ranks, one column for each objective.
- `_generate_and_score_completions`: its advantages are replaced by the aggregator's.
- `_compute_loss`: called once more for each objective where the aggregator learns from gradients.
- `save_model`: trainer state holds the adapter, see `run.SavesAdapter`; `trainer_state.json` holds
  the aggregator's state, as a callback's state.
- `create_scheduler`: no step is wasted on a learning rate of 0, see `lm.schedule`.
- `_send_telemetry`: disabled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import Trainer, TrainerCallback
from transformers.trainer_callback import ExportableState

from paretoflow.core.errors import MethodError
from paretoflow.core.values import FloatArray
from paretoflow.lm.base import decode
from paretoflow.lm.finite import finite_logits
from paretoflow.lm.schedule import RisesFromItsFirstStep
from paretoflow.lm.stops import StopTexts
from paretoflow.methods.online.aggregators import Aggregator, RewardBatch
from paretoflow.methods.preferences.effective import MARGIN, so_far
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.finite import finite_products
from paretoflow.methods.training.run import SavesAdapter, drop_reference_copy
from paretoflow.methods.training.validation import validation_gains
from paretoflow.spec.methods import OnlineMethodBase


def online_arguments(run: Run, spec: OnlineMethodBase, context: MethodContext) -> dict[str, Any]:
    """Return the common keyword arguments of the configs of TRL's online trainers."""
    return {
        **run.arguments,
        "num_generations": spec.generations,
        "reward_weights": run.controller.weights.tolist(),
        "max_completion_length": context.generation.max_new_tokens,
        "temperature": context.generation.temperature,
        "top_p": context.generation.top_p,
        "shuffle_dataset": False,
        "ds3_gather_for_generation": False,
    }


class OnlineTrainer(SavesAdapter, RisesFromItsFirstStep, Trainer):
    """Feeds a TRL trainer with the shared prompts; an aggregator combines the rewards.

    Args:
        config: TRL's, with `online_arguments`.
        estimate: See `RewardBatch`; must equal TRL's treatment of one reward, except KL.
    """

    def __init__(
        self,
        run: Run,
        context: MethodContext,
        config: Any,
        aggregator: Aggregator,
        estimate: Callable[[FloatArray], FloatArray],
    ) -> None:
        prompts = context.candidates.prompts
        groups = run.spec.steps * run.spec.batch_size // config.num_generations
        rows = _prompt_order(len(prompts), groups, run.attempt.launch.seed)
        self._ids = {
            p.text: list(ids) for p, ids in zip(prompts, context.candidates.prompt_ids, strict=True)
        }
        self._run, self._context = run, context
        self._aggregator, self._estimate = aggregator, estimate
        self._stops = StopTexts.of(context.lm, context.generation)
        self._rewards = torch.zeros(0)
        self._gradients: torch.Tensor | None = None
        super().__init__(
            model=run.model,
            reward_funcs=_RewardColumns(context).functions(),
            args=config,
            train_dataset=Dataset.from_dict(
                {"prompt": [prompts[r].text for r in rows], "row": rows}
            ),
            processing_class=context.lm.tokenizer,
        )
        drop_reference_copy(run.model)
        if aggregator.state():
            self.add_callback(AggregatorState(aggregator))

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        self.reward_weights = torch.tensor(self._run.controller.weights, dtype=torch.float32)
        return super()._prepare_inputs(generation_batch)

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [self._ids[prompt] for prompt in prompts], None, {}

    def _generate_single_turn(self, *given: Any) -> Any:
        drawn = super()._generate_single_turn(*given)
        if isinstance(drawn, tuple):  # RLOO returns the answers alone
            return [self._stops.cut(ids) for ids in drawn[0]], *drawn[1:]
        return [self._stops.cut(ids) for ids in drawn]

    def _calculate_rewards(self, *given: Any) -> torch.Tensor:
        self._rewards = super()._calculate_rewards(*given)
        return self._rewards

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._look()
        place = f"an answer that step {self.state.global_step + 1} samples"
        with finite_logits(self.model, self._context.lm, place):
            output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        self._observe(inputs)
        batch = self._batch(inputs, output["completion_mask"])
        theirs = output["advantages"]
        kept = self._kept(batch, theirs)
        output["advantages"] = self._own(self._aggregator.advantages(batch), theirs) + kept
        if self._aggregator.learns:
            columns = self._own(batch.objective_advantages(), theirs)
            output["objective_advantages"] = columns + kept[:, None]
        told = {**self._aggregator.metrics(), **self._shares(batch)}
        for name, value in told.items():
            self._metrics["train"][name].append(value)
        return output

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        inputs = dict(inputs)
        columns = inputs.pop("objective_advantages", None)
        if columns is not None:
            self._learn(model, inputs, columns)
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        return loss

    def _send_telemetry(self) -> None:
        return

    def _kept(self, batch: RewardBatch, advantages: torch.Tensor) -> torch.Tensor:
        """Return the part of TRL's advantages that is not from rewards, for this rank's answers."""
        return torch.zeros_like(advantages)

    def _loss_share(self) -> float:
        """Return the factor of one forward pass' loss in the gradient of a step."""
        return 1.0

    def _shares(self, batch: RewardBatch) -> dict[str, float]:
        """Return the objectives' shares in the margins of this step, and of all steps so far."""
        margins, names = self._aggregator.margins(batch), self._context.objective_names
        if margins is None:
            return {}
        latest = {MARGIN + name: float(v) for name, v in zip(names, margins, strict=True)}
        return latest | so_far(self.state.log_history, latest, names)

    def _look(self) -> None:
        """Pass the validation gains to the aggregator, when due."""
        if not self._aggregator.due(int(self.state.global_step)):
            return
        self._run.ranks.in_step = True
        gains = validation_gains(self._run, self, self._context.validate)
        self._aggregator.look(gains.mean(axis=0))
        self._run.ranks.in_step = False

    def _observe(self, inputs: list[dict[str, Any]]) -> None:
        """Pass the mean gain of all ranks' answers over the base's to the controller."""
        if not self._run.controller.active:
            return
        table = self._context.candidates
        rows = torch.tensor([row["row"] for row in inputs], device=self.accelerator.device)
        prompts = self.accelerator.gather(rows).cpu().numpy()
        level = self._rewards.double().cpu().numpy() - table.standardised[prompts].mean(axis=1)
        self._run.controller.observe(level.mean(axis=0) * table.unit)

    def _batch(self, inputs: list[dict[str, Any]], completion_mask: torch.Tensor) -> RewardBatch:
        """Return the samples of all ranks, in TRL's order: whole groups, one after another."""
        rows = torch.tensor([row["row"] for row in inputs], device=completion_mask.device)
        lengths = self.accelerator.gather(completion_mask.sum(dim=1)).cpu().numpy()
        rewards = self._rewards.double().cpu().numpy()
        group = self.num_generations
        return RewardBatch(
            rewards=rewards.reshape(-1, group, rewards.shape[1]),
            weights=self._run.controller.weights,
            prompts=self.accelerator.gather(rows).cpu().numpy()[::group],
            lengths=lengths.reshape(-1, group),
            estimate=self._estimate,
        )

    def _own(self, values: FloatArray, like: torch.Tensor) -> torch.Tensor:
        """Return this rank's rows of values, shape (b, g, ...), as (answers, ...)."""
        flat = values.reshape(-1, *values.shape[2:])
        start = self.accelerator.process_index * len(like)
        return torch.as_tensor(flat[start : start + len(like)], dtype=like.dtype).to(like.device)

    def _learn(self, model: Any, inputs: dict[str, Any], columns: torch.Tensor) -> None:
        """Add a forward pass' gradient of each objective; pass them on at the end of a step."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        gradients = []
        for column in columns.unbind(dim=1):
            loss = super()._compute_loss(model, {**inputs, "advantages": column})
            parts = torch.autograd.grad(loss * self._loss_share(), trained)
            gradients.append(torch.cat([part.flatten().double() for part in parts]))
        stacked = torch.stack(gradients)
        self._gradients = stacked if self._gradients is None else self._gradients + stacked
        if self.accelerator.sync_gradients:
            gram = (self._gradients @ self._gradients.T).cpu().numpy()
            names, step = self._context.objective_names, self.state.global_step + 1
            self._aggregator.learn(finite_products(gram, names, step))
            self._gradients = None


class AggregatorState(TrainerCallback, ExportableState):
    """Saves an aggregator's state in `trainer_state.json`, and restores it on resume."""

    def __init__(self, aggregator: Aggregator) -> None:
        self._aggregator = aggregator

    def state(self) -> dict[str, Any]:
        """Return the state that transformers saves."""
        return {"args": {}, "attributes": self._aggregator.state()}

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Restore the saved state; on a new start that is the aggregator's own."""
        self._aggregator.restore(state.stateful_callbacks[type(self).__name__]["attributes"])


class _RewardColumns:
    """Scores a batch once, and returns its columns to TRL, which requests one reward at a time."""

    def __init__(self, context: MethodContext) -> None:
        self._context = context
        self._completions: list[str] | None = None
        self._matrix: FloatArray = np.zeros((0, len(context.objective_names)))

    def functions(self) -> list[Callable[..., list[float]]]:
        """Return one reward function for each objective, named after it."""
        return [self._function(i, name) for i, name in enumerate(self._context.objective_names)]

    def _function(self, index: int, name: str) -> Callable[..., list[float]]:
        def reward(
            completions: list[str], completion_ids: list[list[int]], row: list[int], **_: Any
        ) -> list[float]:
            if completions is not self._completions:
                self._matrix = self._standardised(completion_ids, row)
                self._completions = completions
            column: list[float] = self._matrix[:, index].tolist()
            return column

        reward.__name__ = name
        return reward

    def _standardised(self, answers: Sequence[Sequence[int]], rows: Sequence[int]) -> FloatArray:
        candidates, lm = self._context.candidates, self._context.lm
        stops = StopTexts.of(lm, self._context.generation)
        known = [candidates.prompt_ids[row] for row in rows]
        # as in evaluation: TRL's own texts may lack the leading space of an answer
        texts = [
            stops.before(decode(lm, ids, answer))
            for ids, answer in zip(known, answers, strict=True)
        ]
        gains = self._context.rewards([candidates.prompts[r] for r in rows], texts)
        if not np.isfinite(gains).all():
            raise MethodError(
                "a reward is not finite", hint="the objective must refuse such a score"
            )
        return candidates.in_standard(gains, np.asarray(rows, dtype=np.int64))


def _prompt_order(prompts: int, count: int, seed: int) -> list[int]:
    rng = np.random.default_rng(seed)
    rounds = [rng.permutation(prompts) for _ in range(-(-count // prompts))]
    return [int(row) for row in np.concatenate(rounds)[:count]]
