"""Between two optimiser steps: fault checks, control, checkpoints and stops."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
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
from paretoflow.methods.distributed.sharded import shard_of
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
    """Hangs on the trainer's log, which comes once for every optimiser step, after it.

    In this order: the step is checked, a constrained run looks at itself (after the last step it
    settles on its result), the state is saved, the adapter is saved and reported, and the caller is
    asked whether to stop. So a saved state holds all that
    the next step depends on, and a reported checkpoint can be resumed from. On several ranks each
    of these is done by all of them, and what one meets alone ends the run on all.

    Whatever `report` or `validate` do to the random state and to the model's mode is undone, so
    that looking at a run does not change it. Their exceptions end the training and pass through.
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
        """Check what the trainer made of the ranks; from here on they move in step."""
        if not self._run.attempt.parallel.alone:
            require_deepspeed(self._trainer.model_wrapped)
        self._tokens = int(state.num_input_tokens_seen)  # where a resumed trainer goes on counting
        self._run.ranks.in_step = True
        self._steering.begin()
        self._run.ranks.in_step = False

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Check the step, then look, save, report and stop as the step's number asks."""
        logs = given["logs"]
        if "loss" not in logs:  # the summary that transformers logs after the last step
            return
        spec, ranks = self._run.spec, self._run.ranks
        step = int(state.global_step)
        finished = final = step == spec.steps
        weights = self._run.controller.weights
        ranks.in_step = True  # whatever is raised below is raised on every rank
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
        """Save all that the next step depends on; return its folder, whole."""
        run = self._run
        folder = state_folder(run.attempt.folder, step)
        run.ranks.in_step = False  # each writes its part, and they wait for each other in between
        # past TRL's own, which writes a model card and may ask the hub
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
        numbers = {k: float(v) for k, v in logs.items() if isinstance(v, (int, float))}
        with undisturbed(run, self._trainer):
            with run.ranks.together("to save the adapter"):
                if run.ranks.main:
                    save_adapter(run.model, folder)
            checkpoint = Checkpoint(
                step=step,
                folder=folder,
                final=step == run.spec.steps,
                cost=self._spent(logs),
                weights=weights,
                metrics={k: v for k, v in numbers.items() if math.isfinite(v)},
                model=run.model,
                state=state,
                constraint=self._steering.record(),
            )
            with run.ranks.together("to evaluate"):
                self._report(checkpoint)
        self._since = time.perf_counter()
        if checkpoint.final and run.ranks.main:
            discard_states(run.attempt.folder)

    def _spent(self, logs: dict[str, Any]) -> Cost:
        wall_s = time.perf_counter() - self._since
        tokens = int(logs["num_tokens"]) - self._tokens
        self._tokens += tokens
        return Cost(wall_s, wall_s * self._run.attempt.parallel.ranks, tokens)
