"""Bradley-Terry training of one model on the pairs of one or several objectives.

It uses transformers' own trainer, since TRL's takes one output and one source of pairs. A test
checks that both agree where both apply.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import logsigmoid
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from paretoflow.core.errors import NonFiniteLossError
from paretoflow.core.ids import rng_of
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.lm.schedule import RisesFromItsFirstStep
from paretoflow.rewards.backbone import Backbone
from paretoflow.rewards.more import MoreWeights
from paretoflow.rewards.pairs import PreferencePair
from paretoflow.spec.rewards import RewardSpec


@dataclass(frozen=True)
class Draw:
    """One pair of one objective, encoded."""

    objective: int
    chosen: dict[str, list[int]]
    rejected: dict[str, list[int]]


class RewardPairs(torch.utils.data.Dataset[Draw]):
    """The pairs of a whole training in order; a forward pass has as many of every objective.

    Each objective's pairs come in a shuffled order, then in a new one, without end.

    Args:
        backbone: Encodes them.
        sets: Pairs of each objective, none empty.
        spec: Number of pairs to draw, and the seed.
    """

    def __init__(
        self, backbone: Backbone, sets: Sequence[Sequence[PreferencePair]], spec: RewardSpec
    ) -> None:
        self._texts, self._sets, self._seed = backbone.texts, sets, spec.seed
        self._chunk = spec.batch_size // spec.gradient_accumulation
        self._count = spec.steps * spec.batch_size * len(sets)
        self._orders: dict[tuple[int, int], IntArray] = {}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Draw:
        """Return a draw: a pure function of its number and the seed."""
        forward, place = divmod(number, self._chunk * len(self._sets))
        objective, inside = divmod(place, self._chunk)
        pairs = self._sets[objective]
        epoch, index = divmod(forward * self._chunk + inside, len(pairs))
        if (objective, epoch) not in self._orders:
            order = rng_of(self._seed, "draws", objective, epoch).permutation(len(pairs))
            self._orders = {k: v for k, v in self._orders.items() if k[0] != objective}
            self._orders[objective, epoch] = order
        pair = pairs[self._orders[objective, epoch][index]]
        chosen, rejected = (
            self._texts.encoded(self._texts.text(pair.prompt, answer))
            for answer in (pair.chosen, pair.rejected)
        )
        return Draw(objective, chosen, rejected)


class RewardTrainer(RisesFromItsFirstStep, Trainer):
    """Trains one model.

    The loss is the sum of the objectives' mean Bradley-Terry losses, or with MORE n * sum_i
    lambda_i L_i, lambda by `more.MoreWeights` from the gradients in the head. By hand: two
    objectives with losses 0.5 and 0.7 cost 1.2, and with lambda = (0.25, 0.75) 2 (0.125 + 0.525) =
    1.3; lambda = (1/2, 1/2) gives the plain sum.

    References:
        Zeng et al. 2023 (MORE), arXiv 2312.07401. Departures: (1) gradients of the head come from
        the loss itself, which equals those on detached embeddings; (2) with an output for each
        objective the heads share no weight, so each objective's gradient is that of its own row,
        all in the space of the embeddings; one shared output is the paper's form; (3) batches of
        all objectives are of one size.
    """

    def __init__(
        self,
        backbone: Backbone,
        sets: Sequence[Sequence[PreferencePair]],
        spec: RewardSpec,
        told: Callable[[int, float], None],
        scratch: Path,
    ) -> None:
        self._backbone, self._objectives = backbone, len(sets)
        more = MoreWeights(spec.more_alpha, normalise=spec.more_normalise)
        self._more = more if spec.weighting == "more" else None
        super().__init__(
            model=backbone.model,
            args=_arguments(spec, len(sets), backbone.device, scratch),
            train_dataset=RewardPairs(backbone, sets, spec),
            data_collator=lambda draws: collated(backbone, draws),
        )
        self.remove_callback(PrinterCallback)
        self.add_callback(_Told(told, spec.learning_rate))

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, **_: Any
    ) -> torch.Tensor:
        """Return the weighted loss of a batch of chosen, then rejected answers."""
        objective = inputs.pop("objective")
        rewards = model(**inputs).logits.float()
        outputs = objective if rewards.shape[1] > 1 else torch.zeros_like(objective)
        chosen, rejected = rewards.chunk(2)
        rows = torch.arange(len(objective), device=objective.device)
        margins = chosen[rows, outputs] - rejected[rows, outputs]
        losses = [-logsigmoid(margins[objective == i]).mean() for i in range(self._objectives)]
        weights = np.ones(len(losses))
        if self._more is not None:
            weights = len(losses) * self._more.update(self._head_gradients(losses))
        weighted = [float(w) * loss for w, loss in zip(weights, losses, strict=True)]
        return torch.stack(weighted).sum()

    def _head_gradients(self, losses: Sequence[torch.Tensor]) -> FloatArray:
        """Return each loss' gradient by the weights of its output, shape (n, d)."""
        weight = self._backbone.head.weight
        rows = []
        for i, loss in enumerate(losses):
            (gradient,) = torch.autograd.grad(loss, weight, retain_graph=True)
            row = gradient[i if len(weight) > 1 else 0].double().cpu().numpy()
            if not np.isfinite(row).all():
                what = f"the gradient of objective {i} is not finite at step "
                hint = f"lower learning_rate ({self.args.learning_rate})"
                raise NonFiniteLossError(
                    f"{what}{self.state.global_step + 1}", "train-reward", hint
                )
            rows.append(row)
        return np.stack(rows)


def collated(backbone: Backbone, draws: Sequence[Draw]) -> dict[str, torch.Tensor]:
    """Return draws as one batch: all chosen answers, then all rejected ones."""
    padded = backbone.texts.padded([d.chosen for d in draws] + [d.rejected for d in draws])
    batch = {name: torch.tensor(rows) for name, rows in padded.items()}
    return batch | {"objective": torch.tensor([d.objective for d in draws])}


class _Told(TrainerCallback):
    """Report every step, and end a training that diverged."""

    def __init__(self, told: Callable[[int, float], None], learning_rate: float) -> None:
        self._told, self._learning_rate = told, learning_rate

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Check and report a step."""
        logs = given["logs"]
        if "loss" not in logs:  # the summary after the last step
            return
        for name in ("loss", "grad_norm"):
            if not math.isfinite(logs.get(name, 0.0)):
                raise NonFiniteLossError(
                    f"{name} is {logs[name]} at step {state.global_step}",
                    "train-reward",
                    f"lower learning_rate ({self._learning_rate}) or max_grad_norm",
                )
        self._told(int(state.global_step), float(logs["loss"]))


def _arguments(spec: RewardSpec, objectives: int, device: str, scratch: Path) -> TrainingArguments:
    passes = spec.gradient_accumulation
    return TrainingArguments(
        output_dir=str(scratch),
        max_steps=spec.steps,
        per_device_train_batch_size=objectives * spec.batch_size // passes,
        gradient_accumulation_steps=passes,
        learning_rate=spec.learning_rate,
        max_grad_norm=spec.max_grad_norm,
        seed=spec.seed % 2**31,
        use_cpu=device == "cpu",
        bf16=False,  # a bfloat16 model is trained in its own precision
        dataloader_pin_memory=device != "cpu",
        logging_steps=1,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
        save_strategy="no",
        train_sampling_strategy="sequential",  # draws are shuffled already
        remove_unused_columns=False,
    )
