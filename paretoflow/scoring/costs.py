"""System costs among the objectives: measured while a policy answers, not by a scorer.

Seconds and tokens are those of the sampled answers; where one of several answers is chosen, all of
them count. The memory is one number for all prompts of an evaluation, as is the adapter's size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from peft import PeftModel, get_peft_model_state_dict

from paretoflow.core.errors import ObjectiveError
from paretoflow.core.values import FloatArray
from paretoflow.lm.saved_adapter import ADAPTER
from paretoflow.spec.objectives import Measure, ObjectiveSpec, SystemObjectiveSpec

if TYPE_CHECKING:
    from paretoflow.lm.generation import Answer

_PROCESS = Path("/proc/self")
_FORGET_PEAK = "5"
"""Written to `clear_refs`, it resets the peak of the resident set to its present size."""


@dataclass
class Answering:
    """Measurements of a policy while it answers.

    Args:
        peak_mib: Peak memory in use; nan where no objective needs it.
    """

    peak_mib: float = float("nan")


@dataclass(frozen=True)
class SystemCosts:
    """The columns of the scores that are system costs.

    Args:
        columns: Each with the name of its objective and the measured quantity.
    """

    columns: tuple[tuple[int, str, Measure], ...] = ()

    @classmethod
    def of(cls, objectives: Sequence[ObjectiveSpec]) -> SystemCosts:
        """Return the system costs among a sweep's objectives."""
        return cls(
            tuple(
                (column, o.name, o.measure)
                for column, o in enumerate(objectives)
                if isinstance(o, SystemObjectiveSpec)
            )
        )

    @property
    def of_memory(self) -> bool:
        """Return whether peak memory is among the costs."""
        return any(measure == "memory" for _, _, measure in self.columns)

    @contextmanager
    def watched(self, device: str) -> Iterator[Answering]:
        """Yield the measurements of the block; they are filled in when the block ends.

        Args:
            device: Device of the policy.

        Raises:
            ObjectiveError: If peak memory is required and the system does not report it.
        """
        seen = Answering()
        asking = [name for _, name, measure in self.columns if measure == "memory"]
        if not asking:
            yield seen
            return
        with _telling(asking[0]):
            _forget_peak(device)
        yield seen
        with _telling(asking[0]):
            seen.peak_mib = _peak_mib(device)

    def put(
        self, scores: FloatArray, drawn: Sequence[Sequence[Answer]], model: Any, seen: Answering
    ) -> None:
        """Fill the columns in place.

        By hand: two answers to a prompt, of 10 tokens in 0.5 s and of 20 in 1 s, are a latency of
        1.5 s at 20 tokens/s.

        Args:
            scores: Shape (n, m).
            drawn: Answers to the n prompts, once for each draw.
            model: The policy that answered.
            seen: Measurements of the policy.
        """
        if not self.columns:
            return
        seconds = np.array([[a.seconds for a in answers] for answers in drawn]).sum(axis=0)
        tokens = np.array([[a.tokens for a in answers] for answers in drawn]).sum(axis=0)
        for column, _, measure in self.columns:
            if measure == "latency":
                scores[:, column] = seconds
            elif measure == "tokens_per_s":
                scores[:, column] = tokens / seconds
            elif measure == "memory":
                scores[:, column] = seen.peak_mib
            else:
                scores[:, column] = adapter_parameters(model)


NO_COSTS = SystemCosts()
"""For objectives that are all scored from answers."""


def adapter_parameters(model: Any) -> int:
    """Return the number of parameters of the active adapter; 0 for the bare base."""
    if not isinstance(model, PeftModel):
        return 0
    # "auto" would query the hub for changes of the vocabulary
    kept = get_peft_model_state_dict(model, adapter_name=ADAPTER, save_embedding_layers=False)
    return sum(tensor.numel() for tensor in kept.values())


def _forget_peak(device: str) -> None:
    if device == "cpu":
        (_PROCESS / "clear_refs").write_text(_FORGET_PEAK)
    else:
        torch.cuda.reset_peak_memory_stats(device)


def _peak_mib(device: str) -> float:
    """Return the peak memory since the last reset, in MiB."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated(device) / 2**20
    status = (_PROCESS / "status").read_text()
    (peak,) = [line.split() for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak[1]) / 2**10  # reported in kB, which are KiB


@contextmanager
def _telling(name: str) -> Iterator[None]:
    """Raise a readable error where the system does not report peak memory."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        what = f"the system does not tell the most memory in use: {error}"
        hint = "run on a GPU, or on Linux where /proc/self/clear_refs can be written; or remove it"
        raise ObjectiveError(what, f"objective {name}", hint) from error
