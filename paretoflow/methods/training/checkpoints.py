"""Work between two optimiser steps: fault checks, control, checkpoints and stops."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback

from paretoflow.core.cost import Cost
from paretoflow.core.errors import NonFiniteLossError, RunInterrupted
from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import FloatArray
from paretoflow.lm.adapters import save_adapter
from paretoflow.methods.distributed.rank_files import collect
from paretoflow.methods.distributed.ranks import require_deepspeed
from paretoflow.methods.distributed.sharded import adapter_gathered, shard_of
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.states import (
    Layout,
    TrainerState,
    discard_states,
    seal,
    state_folder,
)
from paretoflow.methods.training.steering import Steering
from paretoflow.methods.training.validation import undisturbed


class CheckpointCallback(TrainerCallback):
    """Trainer callback that acts on the log entry after every optimiser step.

    In this order: it checks the step, measures a constrained run (after the last step it chooses
    the result), saves the state, saves and reports the adapter, and checks whether to stop. So a
    saved state holds everything the next step depends on, and a run can resume from a reported
    checkpoint. On several ranks all of them do each of these, and an error of one ends the run on
    all.

    The random state and the model's mode are restored after `report` and `validate`, so that
    observing a run does not change it. Their exceptions end the training and are passed on.
    """

    def __init__(
        self,
        run: Run,
        trainer: Trainer,
        report: Callable[[Checkpoint], None],
        context: MethodContext,
    ) -> None:
        self._run = run
        self._trainer = trainer
        self._report = report
        self._steering = Steering(run, trainer, context)
        self._trained = [p for p in run.model.parameters() if p.requires_grad]
        self._since = time.perf_counter()
        self._tokens = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Check the trainer's setup on all ranks, which are in step from here on."""
        if not self._run.attempt.parallel.alone:
            require_deepspeed(self._trainer.model_wrapped)
        self._tokens = int(state.num_input_tokens_seen)  # a resumed trainer continues this count
        self._run.ranks.in_step = True
        self._steering.begin()
        self._run.ranks.in_step = False

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Check the step, then look, save, report and stop as due at this step."""
        logs = given["logs"]
        if "loss" not in logs:  # the summary that transformers logs after the last step
            return
        spec, ranks = self._run.spec, self._run.ranks
        step = int(state.global_step)
        finished = final = step == spec.steps
        weights = self._run.controller.weights
        if self._run.attempt.log_step is not None and ranks.main:
            self._run.attempt.log_step(step, numbers_in(logs))
        ranks.in_step = True  # errors below are raised on every rank
        self._check(step, logs)
        self._steering.settle() if final else self._steering.after(step)
        saved = None
        if final or (spec.checkpoint_every is not None and step % spec.checkpoint_every == 0):
            saved = None if final else self._save_state(step)
            self._checkpoint(step, saved, weights, logs)
            if not final and self._finishes():
                finished = control.should_training_stop = True
        if not finished and ranks.any(flag=self._asked_to_stop()):
            raise RunInterrupted(
                f"stopped after step {step} of {spec.steps}, as asked",
                f"run {self._run.attempt.launch.run_id}",
                state=saved or self._save_state(step),
                step=step,
                cost=self._spent(logs),
            )
        ranks.in_step = False

    def _finishes(self) -> bool:
        """Return whether the run has finished with the checkpoint just reported, on all ranks."""
        run = self._run
        ask = run.attempt.should_finish
        if ask is None or not run.ranks.any(flag=ask()):
            return False
        if run.ranks.main:
            discard_states(run.attempt.folder)
        return True

    def _asked_to_stop(self) -> bool:
        ask = self._run.attempt.should_stop
        return ask is not None and ask()

    def _check(self, step: int, logs: dict[str, Any]) -> None:
        bad = {k: logs[k] for k in ("loss", "grad_norm") if not math.isfinite(logs.get(k, 0.0))}
        norm = torch.nn.utils.get_total_norm([shard_of(p) for p in self._trained])
        if not bad and self._run.ranks.any(flag=not bool(torch.isfinite(norm))):
            bad = {"norm of the adapter": math.inf}
        if bad:
            values = ", ".join(f"{name} is {value}" for name, value in bad.items())
            spec = self._run.spec
            raise NonFiniteLossError(
                f"{values} at step {step}",
                f"run {self._run.attempt.launch.run_id}",
                f"lower method.learning_rate ({spec.learning_rate}) or method.max_grad_norm",
            )

    def _save_state(self, step: int) -> Path:
        """Save everything the next step depends on; return the sealed folder."""
        run = self._run
        folder = state_folder(run.attempt.folder, step)
        run.ranks.in_step = False  # each writes its part, and they wait for each other in between
        # bypasses TRL's own, which writes a model card and may query the hub
        Trainer._save_checkpoint(self._trainer, self._trainer.model_wrapped, None)
        if run.ranks.main:
            self._steering.save(folder)
        names = collect(folder, run.ranks)
        run.ranks.in_step = True
        with run.ranks.together("to save the state"):
            if run.ranks.main:
                multipliers = tuple(run.controller.multipliers.tolist())
                state = TrainerState(folder, step, Layout.of(run.attempt.parallel), multipliers)
                seal(state, names)
        return folder

    def _checkpoint(
        self, step: int, state: Path | None, weights: FloatArray, logs: dict[str, Any]
    ) -> None:
        run = self._run
        folder = run.attempt.folder / f"step-{step:04d}"
        with run.ranks.together("to save the adapter"), adapter_gathered(run.model):
            if run.ranks.main:
                save_adapter(run.model, folder)
        checkpoint = Checkpoint(
            step=step,
            folder=folder,
            final=step == run.spec.steps,
            cost=self._spent(logs),
            weights=weights,
            metrics={k: v for k, v in numbers_in(logs).items() if math.isfinite(v)},
            model=run.model,
            state=state,
            constraint=self._steering.record(),
        )
        with run.ranks.together("to evaluate"), undisturbed(run, self._trainer):
            self._report(checkpoint)
        self._since = time.perf_counter()
        if checkpoint.final and run.ranks.main:
            discard_states(run.attempt.folder)

    def _spent(self, logs: dict[str, Any]) -> Cost:
        wall_s = time.perf_counter() - self._since
        tokens = int(logs["num_tokens"]) - self._tokens
        self._tokens += tokens
        return Cost(wall_s, wall_s * self._run.attempt.parallel.ranks, tokens)


def numbers_in(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a log entry, finite or not."""
    return {name: float(v) for name, v in logs.items() if isinstance(v, (int, float))}
