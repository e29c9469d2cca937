"""Evaluate a model in training without changing the training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from transformers import Trainer

from paretoflow.core.values import FloatArray
from paretoflow.methods.distributed.sharded import whole
from paretoflow.methods.training.context import Run, Validate


@contextmanager
def undisturbed(run: Run, trainer: Trainer) -> Iterator[None]:
    """Lend the model for the block: gathered on this rank, with random state and mode restored."""
    model = run.model
    training = model.training
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices), whole(trainer.model_wrapped):
        try:
            yield
        finally:
            model.train(training)


def validation_gains(run: Run, trainer: Trainer, validate: Validate) -> FloatArray:
    """Return each validation prompt's gains, shape (n, m); all ranks must call it.

    Every rank gets rank 0's values.
    """
    with undisturbed(run, trainer), run.ranks.together("to validate"):
        gains = np.atleast_2d(validate(run.model))
    return run.ranks.first(gains)
