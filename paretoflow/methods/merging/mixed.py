"""What a way to merge is given and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from paretoflow.core.errors import MethodError
from paretoflow.core.merge import Merge
from paretoflow.core.protocols import TrainRequest
from paretoflow.core.values import FloatArray
from paretoflow.lm.lora_files import LoraAdapter, read_lora


@dataclass(frozen=True)
class Mixed:
    """An adapter that a way has built, and what there is to say about it."""

    adapter: LoraAdapter
    metrics: Mapping[str, float] = field(default_factory=dict)


def asked(request: TrainRequest) -> Merge:
    """Return what a launch is to mix.

    Raises:
        MethodError: If it is no merge launch, or its parents' folders are not there.
    """
    merge = request.proposal.merge
    if merge is None or len(request.merge_parents) != len(merge.parents):
        parents = 0 if merge is None else len(merge.parents)
        raise MethodError(
            f"got {len(request.merge_parents)} folders for a merge of {parents} parents",
            f"run {request.run_id}",
        )
    return merge


def parents_of(request: TrainRequest) -> list[LoraAdapter]:
    """Read the parents of a merge launch.

    Raises:
        ModelError: If one is broken or holds more than LoRA factors.
    """
    return [read_lora(folder) for folder in request.merge_parents]


def coefficients_of(merge: Merge) -> FloatArray:
    """Return the coefficients, shape (k,)."""
    return np.asarray(merge.coefficients, dtype=np.float64)


def option(merge: Merge, name: str, default: float) -> float:
    """Return a knob of the way, or its default."""
    return float(dict(merge.options).get(name, default))
