"""What defaults were before they changed: a sweep goes on as it began.

A sweep's folder keeps its resolved spec. A key that it lacks is newer than the sweep, and stands
for what was done then; and a YAML that does not say a key whose default has changed since goes on
with a sweep of its name as it was begun, instead of being refused for another method.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paretoflow.spec.base import Spec
from paretoflow.spec.sweep import SweepSpec

_GLOBAL = {"standardise": "global"}
METHODS: Mapping[str, Mapping[str, Any]] = {
    "bco": _GLOBAL,
    "dpa": _GLOBAL,
    "dpo": _GLOBAL,
    "f_dpo": _GLOBAL,
    "gradient_dpo": _GLOBAL,
    "grao": _GLOBAL,
    "grpo": _GLOBAL,
    "ipo": _GLOBAL,
    "ipo_md": _GLOBAL,
    "lipo": _GLOBAL,
    "ln_dpo": _GLOBAL,
    "mah_dpo": _GLOBAL,
    "meet": _GLOBAL,
    "mm_dpo": _GLOBAL,
    "modpo": {"labels": "hard"},
    "pro": _GLOBAL,
    "ric": _GLOBAL,
    "rloo": _GLOBAL,
    "rpo": _GLOBAL,
}
"""Of each method's keys: the defaults that are others now."""
AGGREGATIONS: Mapping[str, Mapping[str, Any]] = {
    "hv_dynamic": {"measure": "sweep"},
    "pama": {"levels": "advantages", "weighted": False},
}
"""Likewise of `method.aggregation`."""
PROPOSERS: Mapping[str, Mapping[str, Any]] = {"auto": {"lead": 0}}
"""Likewise of `proposer`, and of what `reevaluate` passes on."""


def as_begun(plain: dict[str, Any]) -> dict[str, Any]:
    """Fill in, in a stored spec as plain JSON values, what was done before a key was there."""
    method = plain.get("method")
    if isinstance(method, dict):
        _fill(method, METHODS)
        if isinstance(method.get("aggregation"), dict):
            _fill(method["aggregation"], AGGREGATIONS)
    proposer = plain.get("proposer")
    while isinstance(proposer, dict):
        _fill(proposer, PROPOSERS)
        proposer = proposer.get("of")
    return plain


def going_on(spec: SweepSpec, begun: Mapping[str, Any]) -> SweepSpec:
    """Return a spec that keeps the former defaults of the sweep it goes on with.

    Only for keys that it does not say itself.

    Args:
        spec: As it was loaded.
        begun: The stored one, filled in by `as_begun`.
    """
    proposer = _proposer_going_on(spec.proposer, begun.get("proposer"))
    spec = spec.model_copy(update={"proposer": proposer})
    method = begun.get("method")
    if not isinstance(method, dict) or method.get("type") != spec.method.type:
        return spec
    kept = _kept(spec.method, method, METHODS)
    aggregation, begun_with = getattr(kept, "aggregation", None), method.get("aggregation")
    same = isinstance(begun_with, dict) and begun_with.get("type") == getattr(
        aggregation, "type", ""
    )
    if same:
        combined = _kept(aggregation, begun_with, AGGREGATIONS)
        kept = kept.model_copy(update={"aggregation": combined})
    return spec.model_copy(update={"method": kept})


def _proposer_going_on(spec: Any, begun: Any) -> Any:
    """Return a proposer's spec with what it began with, and so what it passes on."""
    if not isinstance(begun, dict) or begun.get("type") != spec.type:
        return spec
    kept = _kept(spec, begun, PROPOSERS)
    if "of" not in begun:
        return kept
    return kept.model_copy(update={"of": _proposer_going_on(spec.of, begun["of"])})


def _fill(plain: dict[str, Any], former: Mapping[str, Mapping[str, Any]]) -> None:
    for key, value in former.get(str(plain.get("type")), {}).items():
        plain.setdefault(key, value)


def _kept(spec: Any, begun: Any, former: Mapping[str, Mapping[str, Any]]) -> Spec:
    values = {
        key: value
        for key, value in former.get(spec.type, {}).items()
        if key not in spec.model_fields_set and begun.get(key) == value
    }
    kept: Spec = spec.model_copy(update=values)
    return kept
