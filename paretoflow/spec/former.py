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
    "dpo": {**_GLOBAL, "beta": 0.1, "checkpoint_every": None, "early_stop": None},
    "f_dpo": _GLOBAL,
    "gradient_dpo": _GLOBAL,
    "grao": _GLOBAL,
    "grpo": _GLOBAL,
    "ipo": {**_GLOBAL, "beta": 0.1},
    "ipo_md": {**_GLOBAL, "beta": 0.1},
    "lipo": _GLOBAL,
    "ln_dpo": _GLOBAL,
    "mah_dpo": {**_GLOBAL, "beta": 0.1},
    "meet": _GLOBAL,
    "mm_dpo": _GLOBAL,
    "modpo": {"labels": "hard"},
    "pro": _GLOBAL,
    "ric": _GLOBAL,
    "rloo": _GLOBAL,
    "rpo": _GLOBAL,
}
"""Of each method's keys: the defaults that are others now."""
NESTED: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "aggregation": {
        "hv_dynamic": {"measure": "sweep"},
        "pama": {"levels": "advantages", "weighted": False},
    },
    "early_stop": {"": {"evaluations": 2, "signal": "entropy_and_mass"}},
}
"""Likewise of what a method's key holds, by its `type`, if it has one."""
DATA: Mapping[str, Any] = {"held_out": 2}
"""Likewise of the data, whatever their type."""
PROPOSERS: Mapping[str, Mapping[str, Any]] = {"auto": {"lead": 0}}
"""Likewise of `proposer`, and of what `reevaluate` passes on."""
PROPOSERS_SINCE: Mapping[str, Mapping[str, Any]] = {"auto": {"lead": 12}}
"""Defaults that came after those and are others now, too."""


def as_begun(plain: dict[str, Any]) -> dict[str, Any]:
    """Fill in, in a stored spec as plain JSON values, what was done before a key was there."""
    method, data = plain.get("method"), plain.get("data")
    if isinstance(data, dict):
        data.update({key: value for key, value in DATA.items() if key not in data})
    if isinstance(method, dict):
        _fill(method, METHODS)
        for key, former in NESTED.items():
            if isinstance(method.get(key), dict):
                _fill(method[key], former)
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
    data, method = begun.get("data"), begun.get("method")
    if isinstance(data, dict):
        spec = spec.model_copy(update={"data": _keeping(spec.data, data, DATA)})
    if not isinstance(method, dict) or method.get("type") != spec.method.type:
        return spec
    kept = _kept(spec.method, method, METHODS)
    for key, former in NESTED.items():
        held, begun_with = getattr(kept, key, None), method.get(key)
        if isinstance(held, Spec) and isinstance(begun_with, dict) and _alike(held, begun_with):
            kept = kept.model_copy(update={key: _kept(held, begun_with, former)})
    return spec.model_copy(update={"method": kept})


def _proposer_going_on(spec: Any, begun: Any) -> Any:
    """Return a proposer's spec with what it began with, and so what it passes on."""
    if not isinstance(begun, dict) or begun.get("type") != spec.type:
        return spec
    kept = _kept(_kept(spec, begun, PROPOSERS), begun, PROPOSERS_SINCE)
    if "of" not in begun:
        return kept
    return kept.model_copy(update={"of": _proposer_going_on(spec.of, begun["of"])})


def _alike(spec: Spec, begun: Mapping[str, Any]) -> bool:
    return bool(getattr(spec, "type", None) == begun.get("type"))


def _fill(plain: dict[str, Any], former: Mapping[str, Mapping[str, Any]]) -> None:
    for key, value in former.get(str(plain.get("type", "")), {}).items():
        plain.setdefault(key, value)


def _kept(spec: Any, begun: Any, former: Mapping[str, Mapping[str, Any]]) -> Spec:
    return _keeping(spec, begun, former.get(getattr(spec, "type", ""), {}))


def _keeping(spec: Spec, begun: Mapping[str, Any], former: Mapping[str, Any]) -> Spec:
    said = spec.model_fields_set
    values = {k: v for k, v in former.items() if k not in said and begun.get(k) == v}
    return spec.model_copy(update=values)
