"""What a method cannot do with the resources of a sweep, refused before it starts."""

from __future__ import annotations

from paretoflow.core.errors import SpecError
from paretoflow.methods.catalogue import CAPABILITIES
from paretoflow.spec.sweep import SweepSpec


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
