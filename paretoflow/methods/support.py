"""What a method cannot do with the rest of a sweep's spec, refused before it starts."""

from __future__ import annotations

from paretoflow.core.errors import SpecError
from paretoflow.methods.registry import CAPABILITIES
from paretoflow.spec.launches import BEYOND_WEIGHTED, BY_ANY_METHOD, nested
from paretoflow.spec.objectives import RougeObjectiveSpec
from paretoflow.spec.sweep import SweepSpec


def require_supported(spec: SweepSpec) -> None:
    """Refuse data and resources that the method cannot train on, and launches it cannot take.

    Raises:
        SpecError: If it runs on one rank only and there are more, or cannot be sharded and is to
            be, or the proposer needs launches that it does not take, or it needs reference answers
            and the data have none, or runs are to be paused that serve all preferences; names the
            key and the methods that could.
    """
    _require_launches(spec)
    _require_points(spec)
    _require_references(spec)
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
            "write `ranks: 1` and raise engine.worker_groups, or choose another method: "
            f"{able} can",
        )


def references_for(spec: SweepSpec) -> tuple[str, ...]:
    """Return who needs a reference answer for each prompt: objectives by name, or the method."""
    found = [o.name for o in spec.objectives if isinstance(o, RougeObjectiveSpec)]
    if "references" in CAPABILITIES[spec.method.type].needs:
        found.append(f"method {spec.method.type}")
    return tuple(found)


def _require_points(spec: SweepSpec) -> None:
    tag = spec.method.type
    if spec.stop.rungs is not None and CAPABILITIES[tag].serves != "point":
        raise SpecError(
            f"got rungs; allowed: none for {tag}, since one artifact of it serves all preferences "
            "and is not to be compared by one point",
            "stop.rungs",
            "remove them",
        )


def _require_launches(spec: SweepSpec) -> None:
    tag = spec.method.type
    capabilities = CAPABILITIES[tag]
    point = capabilities.serves == "point"
    for place, proposer in nested(spec.proposer):
        kind = BEYOND_WEIGHTED.get(proposer.type)
        if getattr(proposer, "redraw", False):  # what is asked otherwise is a merge of one adapter
            kind = "merge"
        if kind is None or (point and kind in (*BY_ANY_METHOD, *capabilities.launches)):
            continue
        takes = f"{tag} takes {' and '.join(capabilities.launches)} ones"
        why = "" if point else ", since one artifact of it serves all preferences"
        raise SpecError(
            f"got {proposer.type}, which needs {kind} launches; {takes}{why}",
            ".".join(map(str, (*place, "type"))),
            "remove it, or choose lattice or dirichlet",
        )


def _require_references(spec: SweepSpec) -> None:
    tag = spec.method.type
    columns = getattr(spec.data, "columns", None)  # the embedded task has them
    if "references" in CAPABILITIES[tag].needs and columns and columns.reference is None:
        able = ", ".join(t for t, c in sorted(CAPABILITIES.items()) if "references" not in c.needs)
        raise SpecError(
            f"got data without reference answers, which {tag} learns from",
            "data.columns.reference",
            f"name the column that holds them, or choose another method: {able} need none",
        )


def _able(*kinds: str) -> str:
    return ", ".join(tag for tag, c in sorted(CAPABILITIES.items()) if c.distributed in kinds)
