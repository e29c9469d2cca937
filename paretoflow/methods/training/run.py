"""One training run on a TRL trainer: attach the adapter, train, remove the adapter.

This module holds the common parts of all methods; a method only builds its trainer
(`TrainedMethod`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from accelerate.utils import imports as accelerate_imports
from torch.nn import Dropout
from transformers import PrinterCallback, Trainer

from paretoflow.core.protocols import AttemptContext, Checkpoint
from paretoflow.core.values import FloatArray
from paretoflow.lm.adapters import (
    fresh_adapter,
    known_warnings_silenced,
    load_adapter,
    save_adapter_files,
    unload,
)
from paretoflow.methods.constrained.dual import DualController
from paretoflow.methods.distributed.rank_files import lent
from paretoflow.methods.distributed.ranks import Ranks, joined
from paretoflow.methods.distributed.sharded import attributes_kept, is_sharded, release
from paretoflow.methods.distributed.untracked import without_trackers
from paretoflow.methods.training.arguments import shared_arguments
from paretoflow.methods.training.checkpoints import CheckpointCallback
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.states import require_state
from paretoflow.spec.methods import MethodSpec
from paretoflow.spec.trainer_arguments import SCHEDULE


def train_run(
    context: MethodContext,
    spec: MethodSpec,
    attempt: AttemptContext,
    report: Callable[[Checkpoint], None],
    build: Callable[[Run], Trainer],
    adapter_options: Mapping[str, Any] | None = None,
) -> None:
    """Train one launch with the trainer that `build` returns; report as in `Method.train`.

    `adapter_options` are further options of PEFT's `LoraConfig` for a new adapter.

    Raises:
        AdapterError: If the adapter to start from is gone or was changed.
        NonFiniteLossError: If the loss, its gradient or the adapter is not finite; no such adapter
            is ever saved.
        MethodError: If the state to resume from is incomplete or another worker group's, or
            DeepSpeed is configured but not used.
        RunInterrupted: If `attempt.should_stop` returned True, after the state was saved.
        WorkerError: If another rank failed.
    """
    _remember_packages()
    launch, parent, sharded = attempt.launch, attempt.parent(), is_sharded(context.lm.model)
    known = launch.parent_gains if spec.dual.paired else None
    controller = DualController(spec.dual, launch.proposal, context.scale, known)
    arguments = shared_arguments(spec, attempt, context.lm)
    with (
        joined(attempt.parallel, context.lm.device) as ranks,
        _resumed(attempt, ranks, controller) as state,
        _adapter(context, launch.seed, parent, adapter_options) as model,
    ):
        run = Run(spec, attempt, ranks, model, controller, arguments)
        # some trainers copy the adapter first; Accelerate imports DeepSpeed here
        with known_warnings_silenced(), without_trackers():
            trainer = build(run)
        trainer.follows_arguments = not spec.trainer.keys().isdisjoint(SCHEDULE)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(CheckpointCallback(run, trainer, report, context))
        with _released(trainer, ranks, sharded=sharded):
            trainer.train(resume_from_checkpoint=state)


class SavesAdapter:
    """Mixin for trainers: saves only the trained adapter of the model.

    By default a trainer also writes tokenizer and arguments, queries the hub for changes of the
    vocabulary, and gathers the whole base under DeepSpeed, which saves the adapter with its
    optimiser.
    """

    def save_model(self: Any, output_dir: str, _internal_call: bool = False) -> None:
        """Write the adapter into a folder of trainer state."""
        if not self.is_deepspeed_enabled:
            save_adapter_files(self.model, Path(output_dir))

    def create_model_card(self: Any, *args: Any, **kwargs: Any) -> None:
        """Write no card: states are for resuming, and TRL would look for the run's W&B address."""


def drop_reference_copy(model: Any) -> None:
    """Remove the frozen copy of the starting adapter: the base is the reference, not the parent.

    Without the copy TRL computes the reference with the adapter switched off, also when a run
    starts from a parent.
    """
    if "ref" in model.peft_config:
        model.delete_adapter("ref")


def _remember_packages() -> None:
    """Cache accelerate's check for installed packages, which reads their metadata at every step."""
    look = accelerate_imports._is_package_available
    if not hasattr(look, "cache_info"):
        accelerate_imports._is_package_available = cache(look)


@contextmanager
def _resumed(
    attempt: AttemptContext, ranks: Ranks, controller: DualController
) -> Iterator[str | None]:
    """Yield the folder of trainer state to resume from; None for a new start."""
    if attempt.resume_from is None:
        yield None
        return
    with lent(attempt.resume_from, ranks):
        state = require_state(attempt.resume_from, attempt.parallel)
        controller.restore(np.asarray(state.multipliers))
        yield str(state.folder)


@contextmanager
def _released(trainer: Trainer, ranks: Ranks, *, sharded: bool) -> Iterator[None]:
    """Remove DeepSpeed from the model after the block, unless the ranks are out of step.

    A base that was sharded before stays so.
    """
    try:
        yield
        ranks.in_step = True
    finally:
        if ranks.in_step and trainer.deepspeed is not None:
            release(trainer.deepspeed, sharded=sharded)


@contextmanager
def _adapter(
    context: MethodContext, seed: int, parent: Path | None, options: Mapping[str, Any] | None
) -> Iterator[Any]:
    base = context.lm.model
    own_forward = vars(base).get("forward")
    for layer in base.modules():
        if isinstance(layer, Dropout):
            layer.p = 0.0  # as in the reference; the spec sets the adapter's own dropout
    with attributes_kept(base):
        if parent is None:
            model = fresh_adapter(context.lm, context.lora, seed, options)
        else:
            model = load_adapter(context.lm, parent, trainable=True)
        try:
            yield model
        finally:
            unload(model)
            # TRL wraps the forward for its fused head; the next trainer must not wrap the wrapper
            vars(base).pop("forward", None)
            if own_forward is not None:
                base.forward = own_forward


S = TypeVar("S", bound=MethodSpec)


class TrainedMethod(ABC, Generic[S]):
    """Base class of methods that only build a trainer."""

    def __init__(self, spec: S, context: MethodContext) -> None:
        self._spec = spec
        self._context = context

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        """Train one launch; see `core.protocols.Method`."""

        def told(checkpoint: Checkpoint) -> None:
            report(replace(checkpoint, effective=self.effective(checkpoint)))

        train_run(self._context, self._spec, attempt, told, self._trainer)

    def effective(self, checkpoint: Checkpoint) -> FloatArray | None:
        """Return the objectives' shares in the training signal under a checkpoint's weights.

        Shape (m,), on the simplex; None where it is unknown.
        """
        return None

    @abstractmethod
    def _trainer(self, run: Run) -> Trainer:
        """Return the trainer of one run."""
