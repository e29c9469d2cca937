"""Group-relative policy optimisation on fresh answers, one reward for each objective.

Where TRL is left (each has a test in `tests/contracts/test_trl_hooks.py`):

- `_prepare_inputs`: puts the weights in force into `reward_weights`, which TRL reads when it scores
  a batch.
- `_tokenize_prompts`: prompts have the token ids of the shared stage.
- `save_model`: trainer state holds the adapter, see `run.SavesAdapter`.
- `_send_telemetry`: a sweep does not report itself to anyone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from paretoflow.core.errors import MethodError, SpecError
from paretoflow.core.protocols import Checkpoint, TrainRequest
from paretoflow.core.values import FloatArray
from paretoflow.methods.arguments import check_batch
from paretoflow.methods.context import MethodContext, Run
from paretoflow.methods.run import SavesAdapter, drop_reference_copy, train_run
from paretoflow.spec.methods import GrpoMethodSpec

AGGREGATIONS = {"linear": "sum_then_normalize", "normalize_then_sum": "normalize_then_sum"}
"""Our names of the two ways to combine rewards, to TRL's."""


class GrpoMethod:
    """GRPO on a weighted sum of rewards, each in standard deviations of the base's answers.

    References:
        Shao et al. 2024, arXiv 2402.03300, eq. 3 and 4 (loss averaged over the tokens of an answer,
        then over answers).
        normalize_then_sum: Liu et al. 2026, arXiv 2601.05242 (GDPO), as in TRL. Departures: one
            gradient step for
        each sampled batch, so the ratio is one and never clipped; KL to the base, not to a moving
        reference.
    """

    def __init__(self, spec: GrpoMethodSpec, context: MethodContext) -> None:
        check_batch(spec)
        if spec.batch_size % spec.generations:
            raise SpecError(
                f"a batch of {spec.batch_size} answers holds no whole groups of {spec.generations}",
                "method.batch_size",
                "choose a multiple of method.generations",
            )
        if context.generation.temperature == 0:
            raise SpecError(
                "grpo learns from differences between samples, and temperature 0 gives none",
                "model.generation.temperature",
                "set it above 0, for instance to 1.0",
            )
        self._spec = spec
        self._context = context

    def train(self, request: TrainRequest, report: Callable[[Checkpoint], None]) -> None:
        """Train one launch; see `core.protocols.Method`."""
        train_run(self._context, self._spec, request, report, self._trainer)

    def _trainer(self, run: Run) -> GrpoTrainer:
        return GrpoTrainer(run, self._spec, self._context)


class GrpoTrainer(SavesAdapter, GRPOTrainer):
    """TRL's GRPO trainer, fed with the shared prompts and following the weights in force."""

    def __init__(self, run: Run, spec: GrpoMethodSpec, context: MethodContext) -> None:
        prompts = context.candidates.prompts
        rows = _prompt_order(
            len(prompts), spec.steps * spec.batch_size // spec.generations, run.request.seed
        )
        self._ids = {
            p.text: list(ids) for p, ids in zip(prompts, context.candidates.prompt_ids, strict=True)
        }
        self._controller = run.controller
        config = GRPOConfig(
            **run.arguments,
            beta=spec.beta,
            loss_type="grpo",
            num_generations=spec.generations,
            multi_objective_aggregation=AGGREGATIONS[spec.aggregation],
            reward_weights=run.controller.weights.tolist(),
            max_completion_length=context.generation.max_new_tokens,
            temperature=context.generation.temperature,
            shuffle_dataset=False,
        )
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

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        self.reward_weights = torch.tensor(self._controller.weights, dtype=torch.float32)
        return super()._prepare_inputs(generation_batch)

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [self._ids[prompt] for prompt in prompts], None, {}

    def _send_telemetry(self) -> None:
        return


class _RewardColumns:
    """Scores a batch once, and hands TRL, which asks for one reward at a time, its columns."""

    def __init__(self, context: MethodContext) -> None:
        self._context = context
        self._completions: list[str] | None = None
        self._matrix: FloatArray = np.zeros((0, len(context.objective_names)))

    def functions(self) -> list[Callable[..., list[float]]]:
        """Return one reward function for each objective, named after it."""
        return [self._function(i, name) for i, name in enumerate(self._context.objective_names)]

    def _function(self, index: int, name: str) -> Callable[..., list[float]]:
        def reward(completions: list[str], row: list[int], **_: Any) -> list[float]:
            if completions is not self._completions:
                self._matrix = self._standardised(completions, row)
                self._completions = completions
            column: list[float] = self._matrix[:, index].tolist()
            return column

        reward.__name__ = name
        return reward

    def _standardised(self, completions: Sequence[str], rows: Sequence[int]) -> FloatArray:
        candidates = self._context.candidates
        # evaluation strips answers before it scores them: reward what evaluation will see
        answers = [completion.strip() for completion in completions]
        gains = self._context.rewards([candidates.prompts[r] for r in rows], answers)
        if not np.isfinite(gains).all():
            raise MethodError(
                "a reward is not finite", hint="the objective must refuse such a score"
            )
        return (gains - candidates.mean) / candidates.std


def _prompt_order(prompts: int, count: int, seed: int) -> list[int]:
    rng = np.random.default_rng(seed)
    rounds = [rng.permutation(prompts) for _ in range(-(-count // prompts))]
    return [int(row) for row in np.concatenate(rounds)[:count]]
