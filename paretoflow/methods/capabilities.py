"""What a method cannot do with the rest of a sweep's spec, refused before it starts."""

from __future__ import annotations

from paretoflow.core.errors import SpecError
from paretoflow.methods.catalogue import CAPABILITIES
from paretoflow.spec.launches import BEYOND_WEIGHTED
from paretoflow.spec.sweep import SweepSpec


def require_supported(spec: SweepSpec) -> None:
    """Refuse resources that the method cannot train on, and launches that it cannot take.

    Raises:
        SpecError: If it runs on one rank only and there are more, or cannot be sharded and is to
            be, or the proposer needs launches that it does not take; names the key and the methods
            that could.
    """
    _require_launches(spec)
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


def _require_launches(spec: SweepSpec) -> None:
    tag, kind = spec.method.type, BEYOND_WEIGHTED.get(spec.proposer.type)
    capabilities = CAPABILITIES[tag]
    point = capabilities.serves == "point"
    if kind is None or (point and (kind == "merge" or kind in capabilities.launches)):
        return
    takes = f"{tag} takes {' and '.join(capabilities.launches)} ones"
    why = "" if point else ", since one artifact of it serves all preferences"
    raise SpecError(
        f"got {spec.proposer.type}, which needs {kind} launches; {takes}{why}",
        "proposer.type",
        "remove it, or choose lattice or dirichlet",
    )


def _able(*kinds: str) -> str:
    return ", ".join(tag for tag, c in sorted(CAPABILITIES.items()) if c.distributed in kinds)
