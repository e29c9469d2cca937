"""Keeps libraries for training from importing trackers, which no worker writes to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_trackers() -> Iterator[None]:
    """Keep TRL and DeepSpeed from importing W&B and MLflow, which takes each worker five seconds.

    Runs report to the driver, which alone writes to trackers. Modules that are already imported
    stay, and user code can import both as before after the block.
    """
    hidden = {"mlflow", "wandb"} - sys.modules.keys()
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
