"""Evaluate a model in training without changing the training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from transformers import Trainer

from paretoflow.core.values import FloatArray
from paretoflow.methods.distributed.sharded import lent, without_hooks
from paretoflow.methods.training.context import Run, Validate


@contextmanager
def undisturbed(run: Run, trainer: Trainer) -> Iterator[None]:
    """Lend the model to rank 0 for the block, with random state and mode restored.

    The adapter is whole on all ranks. A sharded base is gathered for rank 0 alone, see `lent`.
    """
    model = run.model
    training = model.training
    devices = [model.device] if model.device.type == "cuda" else []
    hooks = without_hooks(trainer.model_wrapped)
    with torch.random.fork_rng(devices), hooks, lent(model, run.ranks):
        try:
            yield
        finally:
            model.train(training)


def validation_gains(run: Run, trainer: Trainer, validate: Validate) -> FloatArray:
    """Return each validation prompt's gains, shape (n, m); all ranks must call it.

    Rank 0 alone runs the model; every rank gets its values.
    """
    gains = None
    with run.ranks.together("to validate"), undisturbed(run, trainer):
        if run.ranks.main:
            gains = np.atleast_2d(validate(run.model))
    found: FloatArray = run.ranks.shared(gains)
    return found
