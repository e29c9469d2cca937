"""Former defaults, so that a sweep continues with those it began with.

A sweep's folder stores its resolved spec. A key that is missing there is newer than the sweep, and
means the former behaviour. A YAML without a key whose default has changed continues an existing
sweep with the former default, instead of being refused as a different method.
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
"""Former defaults of each method's keys."""
NESTED: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "aggregation": {
        "hv_dynamic": {"measure": "sweep"},
        "pama": {"levels": "advantages", "weighted": False},
    },
    "early_stop": {"": {"evaluations": 2, "signal": "entropy_and_mass"}},
}
"""Former defaults within a method's key, by the `type` of its value, if any."""
DATA: Mapping[str, Any] = {"held_out": 2}
"""Former defaults of the data, for every type."""
PROPOSERS: Mapping[str, Mapping[str, Any]] = {"auto": {"lead": 0}}
"""Former defaults of `proposer`, and of the proposer within `reevaluate`."""
PROPOSERS_SINCE: Mapping[str, Mapping[str, Any]] = {"auto": {"lead": 12}}
"""Later defaults that have changed again."""


def as_begun(plain: dict[str, Any]) -> dict[str, Any]:
    """Fill in former behaviour for missing keys of a stored spec (plain JSON values)."""
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
    """Return a spec with the former defaults of the sweep that it continues.

    Only keys that the spec does not set are changed.

    Args:
        spec: The loaded spec.
        begun: The stored spec, filled in by `as_begun`.
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
    """Return a proposer's spec, and those within it, with their former defaults."""
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
