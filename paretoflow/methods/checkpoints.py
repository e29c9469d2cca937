"""What happens between two optimiser steps: fault checks, checkpoints and the dual controller."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import TrainerCallback

from paretoflow.core.errors import MethodError
from paretoflow.core.protocols import Checkpoint, TrainRequest
from paretoflow.core.values import Cost
from paretoflow.lm.adapters import save_adapter
from paretoflow.methods.context import Validate
from paretoflow.methods.dual import DualController
from paretoflow.spec.methods import MethodSpec


class CheckpointCallback(TrainerCallback):
    """Hangs on the trainer's log, which comes once for every optimiser step, after it.

    Whatever `report` or `validate` do to the random state and to the model's mode is undone, so
    that looking at a run does not change it. Their exceptions end the training and pass through.

    Args:
        model: The PEFT model in training.
    """

    def __init__(
        self,
        spec: MethodSpec,
        request: TrainRequest,
        model: Any,
        controller: DualController,
        report: Callable[[Checkpoint], None],
        validate: Validate,
    ) -> None:
        self._spec = spec
        self._request = request
        self._model = model
        self._controller = controller
        self._report = report
        self._validate = validate
        self._trained = [p for p in model.parameters() if p.requires_grad]
        self._since = time.perf_counter()
        self._tokens = 0

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Check the step, then save, report and adapt as the step's number asks."""
        logs = given["logs"]
        if "loss" not in logs:  # the summary that transformers logs after the last step
            return
        step = int(state.global_step)
        self._check(step, logs)
        every = self._spec.checkpoint_every
        final = step == self._spec.steps
        if final or (every is not None and step % every == 0):
            self._checkpoint(step, final, logs)
        if self._controller.active and not final and step % self._spec.dual.every == 0:
            with _undisturbed(self._model):
                gains = self._validate(self._model)
            self._controller.update(gains)

    def _check(self, step: int, logs: dict[str, Any]) -> None:
        bad = {k: logs[k] for k in ("loss", "grad_norm") if not math.isfinite(logs.get(k, 0.0))}
        if not bad and not torch.isfinite(torch.nn.utils.get_total_norm(self._trained)):
            bad = {"norm of the adapter": math.inf}
        if bad:
            values = ", ".join(f"{name} is {value}" for name, value in bad.items())
            raise MethodError(
                f"{values} at step {step}",
                f"run {self._request.run_id}",
                f"lower method.learning_rate ({self._spec.learning_rate}) or method.max_grad_norm",
            )

    def _checkpoint(self, step: int, final: bool, logs: dict[str, Any]) -> None:
        folder = self._request.folder / f"step-{step:04d}"
        save_adapter(self._model, folder)
        numbers = {k: float(v) for k, v in logs.items() if isinstance(v, (int, float))}
        metrics = {k: v for k, v in numbers.items() if math.isfinite(v)}
        with _undisturbed(self._model):
            self._report(
                Checkpoint(
                    step=step,
                    folder=folder,
                    final=final,
                    cost=self._spent(logs),
                    weights=self._controller.weights,
                    metrics=metrics,
                    model=self._model,
                )
            )
        self._since = time.perf_counter()

    def _spent(self, logs: dict[str, Any]) -> Cost:
        wall_s = time.perf_counter() - self._since
        tokens = int(logs["num_tokens"]) - self._tokens
        self._tokens += tokens
        return Cost(wall_s=wall_s, device_s=wall_s, tokens=tokens)


@contextmanager
def _undisturbed(model: Any) -> Iterator[None]:
    training = model.training
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            model.train(training)
