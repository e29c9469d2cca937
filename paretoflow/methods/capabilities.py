"""What each method needs, serves and can do; read by `plugins` and `check`, so torch stays away."""

from __future__ import annotations

from paretoflow.core.errors import SpecError
from paretoflow.core.protocols import Capabilities
from paretoflow.spec.sweep import SweepSpec

_TRAINING_LAUNCHES = ("weighted", "constrained")

CAPABILITIES: dict[str, Capabilities] = {
    "dpo": Capabilities(
        paper="Rafailov et al. 2023, arXiv 2305.18290",
        kind="offline",
        data="pairs",
        serves="point",
        distributed="zero",
        launches=_TRAINING_LAUNCHES,
    ),
    "grpo": Capabilities(
        paper="Shao et al. 2024, arXiv 2402.03300",
        kind="online",
        data="prompts",
        serves="point",
        distributed="zero",
        launches=_TRAINING_LAUNCHES,
        distributed_note="each rank samples for itself: another number of ranks is another draw",
    ),
    "modpo": Capabilities(
        paper="Zhou et al. 2023, arXiv 2310.03708",
        kind="offline",
        data="pairs",
        serves="point",
        distributed="zero",
        launches=_TRAINING_LAUNCHES,
    ),
}
"""YAML tag to capabilities."""


def require_supported(spec: SweepSpec) -> None:
    """Refuse resources that the method cannot train on.

    Raises:
        SpecError: If it runs on one rank only and there are more, or cannot be sharded and is to
            be; names the key of `engine.resources` and the methods that could.
    """
    tag, resources = spec.method.type, spec.engine.resources
    capabilities = CAPABILITIES[tag]
    note = f" ({capabilities.distributed_note})" if capabilities.distributed_note else ""
    if resources.zero > 0 and capabilities.distributed != "zero":
        able = _able("zero")
        raise SpecError(
            f"got zero {resources.zero}; allowed: 0, since {tag} cannot be sharded{note}",
            "engine.resources.zero",
            f"remove it, or choose another method: {able} can",
        )
    if resources.ranks > 1 and capabilities.distributed == "single":
        able = _able("ddp", "zero")
        raise SpecError(
            f"got {resources.ranks} ranks; allowed: 1, since {tag} trains on one rank only{note}",
            "engine.resources.ranks",
            f"write `ranks: 1` and raise engine.workers, or choose another method: {able} can",
        )


def _able(*kinds: str) -> str:
    return ", ".join(tag for tag, c in sorted(CAPABILITIES.items()) if c.distributed in kinds)
