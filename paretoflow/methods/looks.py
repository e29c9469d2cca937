"""Looking at a model in training without changing the training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import Trainer

from paretoflow.core.values import FloatArray
from paretoflow.methods.context import Run, Validate
from paretoflow.methods.sharded import whole


@contextmanager
def undisturbed(run: Run, trainer: Trainer) -> Iterator[None]:
    """Let others use the model in the block: whole on this rank, random state and mode kept."""
    model = run.model
    training = model.training
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices), whole(trainer.model_wrapped):
        try:
            yield
        finally:
            model.train(training)


def validation_gains(run: Run, trainer: Trainer, validate: Validate) -> FloatArray:
    """Return the validation gains, shape (m,), rank 0's on every rank; all of them must call it."""
    with undisturbed(run, trainer), run.ranks.together("to validate"):
        gains = validate(run.model)
    return run.ranks.first(gains)
