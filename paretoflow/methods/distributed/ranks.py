"""The ranks of a worker group: join them, share decisions, and restore the warm process.

A launch on one rank without ZeRO needs none of this: `joined` then yields a single rank, whose
decisions need no communication.

DeepSpeed on a CPU takes a path that its launcher does not: accelerate's state is built over gloo
before transformers' arguments, which then use it. Otherwise they would train without DeepSpeed, or
gather from missing ranks.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from torch import distributed

from paretoflow.core.errors import MethodError, WorkerError
from paretoflow.core.protocols import Parallel
from paretoflow.core.values import FloatArray
from paretoflow.methods.distributed.untracked import without_trackers

_DEEPSPEED_ON = "ACCELERATE_USE_DEEPSPEED"


class Ranks:
    """One rank's view of the ranks of a launch.

    Args:
        device: Device of the base, "cpu" or "cuda".
    """

    def __init__(self, parallel: Parallel, device: str) -> None:
        self.parallel = parallel
        self._device = device
        self.in_step = True

    @property
    def main(self) -> bool:
        """Return whether this rank writes."""
        return self.parallel.rank == 0

    def any(self, *, flag: bool) -> bool:
        """Return whether any rank's flag is set; every rank must call it, with the same result."""
        if self.parallel.ranks == 1:
            return flag
        flags = torch.tensor([float(flag)], device=self._device)
        distributed.all_reduce(flags, op=distributed.ReduceOp.MAX)
        return bool(flags.item())

    def first(self, values: FloatArray) -> FloatArray:
        """Return rank 0's values on every rank, so that rounding cannot make the ranks diverge."""
        if self.parallel.ranks == 1:
            return values
        shared = torch.as_tensor(values, dtype=torch.float64, device=self._device)
        distributed.broadcast(shared, src=0)
        return np.asarray(shared.cpu().numpy())

    def number(self, sent: int = 0) -> int:
        """Return the number that rank 0 sends; every rank must call it."""
        if self.parallel.ranks == 1:
            return sent
        told = torch.tensor([sent], device=self._device)
        distributed.broadcast(told, src=0)
        return int(told.item())

    def shared(self, value: Any) -> Any:
        """Return rank 0's value on every rank, whatever it is; every rank must call it."""
        if self.parallel.ranks == 1:
            return value
        told = [value if self.main else None]
        distributed.broadcast_object_list(told, src=0)
        return told[0]

    @contextmanager
    def together(self, what: str) -> Iterator[None]:
        """Run a block in which one rank may fail alone: then it fails on all ranks.

        Raises:
            WorkerError: On the ranks where the block succeeded while it failed on another.
        """
        well = False
        try:
            yield
            well = True
        finally:
            failed = self.any(flag=not well)
        if failed:
            raise WorkerError(
                f"another rank of the worker group failed {what}", f"rank {self.parallel.rank}"
            )


@contextmanager
def joined(parallel: Parallel, device: str) -> Iterator[Ranks]:
    """Join the worker group's process group, created at the first launch and kept for later ones.

    Raises:
        WorkerError: If an earlier launch left this process out of step with the others.
    """
    ranks = Ranks(parallel, device)
    if parallel.alone:
        yield ranks
        return
    if not usable():
        raise WorkerError(
            "an earlier launch ended out of step with the other ranks",
            hint="start the worker group's processes anew",
        )
    _join(parallel, device)
    try:
        yield ranks
    finally:
        _Process.lost = not ranks.in_step
        _leave()


def usable() -> bool:
    """Return whether this process can take another launch.

    It cannot after an error of one rank alone in the middle of a step: the others may wait for it
    without end, and a base that ZeRO sharded cannot be reassembled. Replace the whole worker group.
    """
    return not _Process.lost


class _Process:
    """State that outlives a launch in this process."""

    lost = False


def require_deepspeed(wrapped: Any) -> None:
    """Refuse to train if the trainer has silently fallen back from DeepSpeed.

    Raises:
        MethodError: If `wrapped`, the trainer's wrapped model, is no DeepSpeed engine.
    """
    from deepspeed import DeepSpeedEngine

    if not isinstance(wrapped, DeepSpeedEngine):
        raise MethodError(
            f"the trainer wrapped the model in {type(wrapped).__name__}; allowed: DeepSpeedEngine",
            hint="check that deepspeed and accelerate are the versions in constraints.txt",
        )


def _join(parallel: Parallel, device: str) -> None:
    os.environ.setdefault("DS_ACCELERATOR", device)
    os.environ[_DEEPSPEED_ON] = "true"
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)  # it writes to standard output
    from accelerate import PartialState
    from accelerate.state import AcceleratorState

    with without_trackers():
        from deepspeed.ops import __compatible_ops__ as compatible_ops

    AcceleratorState._reset_state(reset_partial_state=True)
    # a shortcut for inference, which takes a minute to compile and waits for ranks on other nodes
    compatible_ops["deepspeed_shm_comm"] = False
    backend = "gloo" if device == "cpu" else "nccl"
    wait = timedelta(seconds=parallel.wait_s)
    if parallel.ranks == 1 and not distributed.is_initialized():
        place = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}
        os.environ.update(place)
        store = distributed.HashStore()  # type: ignore[attr-defined]  # no port is taken
        distributed.init_process_group(backend, timeout=wait, store=store, rank=0, world_size=1)
    state = PartialState(backend=backend, timeout=wait)
    if (state.process_index, state.num_processes) != (parallel.rank, parallel.ranks):
        raise WorkerError(
            f"got rank {state.process_index} of {state.num_processes} from the environment; "
            f"allowed: {parallel.rank} of {parallel.ranks}, as the launch says",
            hint="set RANK and WORLD_SIZE before the first launch",
        )


def _leave() -> None:
    from accelerate.state import AcceleratorState
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    os.environ.pop(_DEEPSPEED_ON, None)
    unset_hf_deepspeed_config()  # otherwise models would still be loaded in shards
    AcceleratorState._reset_state(reset_partial_state=True)
    gc.collect()  # engines are full of cycles and hold device memory
