"""Input and result of merge functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from paretoflow.core.errors import MethodError
from paretoflow.core.launch import Launch
from paretoflow.core.merge import Merge
from paretoflow.core.protocols import AttemptContext
from paretoflow.core.values import FloatArray
from paretoflow.lm.lora_files import LoraAdapter, read_lora


@dataclass(frozen=True)
class Mixed:
    """A merged adapter with its metrics."""

    adapter: LoraAdapter
    metrics: Mapping[str, float] = field(default_factory=dict)


def asked(launch: Launch) -> Merge:
    """Return the merge of a launch.

    Raises:
        MethodError: If it is no merge launch, or does not name every parent's adapter.
    """
    merge = launch.proposal.merge
    if merge is None or len(launch.merged) != len(merge.parents):
        parents = 0 if merge is None else len(merge.parents)
        raise MethodError(
            f"got {len(launch.merged)} adapters for a merge of {parents} parents",
            f"run {launch.run_id}",
        )
    return merge


def parents_of(attempt: AttemptContext) -> list[LoraAdapter]:
    """Read the parents of a merge launch.

    Raises:
        AdapterError: If one is gone or was changed.
        ModelError: If one is broken or holds more than LoRA factors.
    """
    return [read_lora(attempt.adapter(one)) for one in attempt.launch.merged]


def coefficients_of(merge: Merge) -> FloatArray:
    """Return the coefficients, shape (k,)."""
    return np.asarray(merge.coefficients, dtype=np.float64)


def option(merge: Merge, name: str, default: float) -> float:
    """Return an option of the merge, or its default."""
    return float(dict(merge.options).get(name, default))
