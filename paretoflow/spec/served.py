"""Needs of a sweep from a vLLM server; facts of vLLM that specs and exports share."""

from __future__ import annotations

from collections.abc import Mapping

from paretoflow.spec.methods import MethodSpec
from paretoflow.spec.models import LoraSpec, ModelSpec
from paretoflow.spec.search import AxisSpec, axes_of, fitted

RANKS = (8, 16, 32, 64, 128, 256, 512)
"""Values of `--max-lora-rank` that every version of vLLM with that limit accepts."""
HOTTEST = 2.0
"""Largest temperature that a server takes."""
NOT_SERVED = ("mah_dpo", "meet")
"""Methods whose checkpoints are more than plain LoRA factors on linear layers."""


def largest_lora(
    method: MethodSpec, model: ModelSpec, search: Mapping[str, AxisSpec] | None
) -> LoraSpec:
    """Return the adapter with the largest ranks that a launch may have."""
    axes = [axis for axis in axes_of(search or {}, method) if axis.home == "lora"]
    return fitted(method, model, tuple((axis.name, axis.value(1.0)) for axis in axes)).lora


def rank_of(lora: LoraSpec) -> int:
    """Return the rank that an adapter has on a server, which knows one for all modules."""
    return max((lora.rank, *lora.ranks.values()))


def server_rank(rank: int) -> int | None:
    """Return the least `--max-lora-rank` for a rank; None where vLLM serves none so large."""
    return next((limit for limit in RANKS if limit >= rank), None)
