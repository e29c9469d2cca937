"""Former control settings, for sweeps older than the comparison with the parent."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from paretoflow.spec.sweep import SweepSpec

FORMER: Mapping[str, Any] = MappingProxyType(
    {
        "form": "dual",
        "draws": 1,
        "lookahead": 0.0,
        "caution": 0.0,
        "checks": 0,
        "result": "last",
        "paired": False,
    }
)
"""Behaviour before `method.dual` had these keys."""


def control_as_begun(plain: dict[str, Any]) -> None:
    """Fill in former behaviour for missing keys of a stored spec (plain JSON values)."""
    method = plain.get("method")
    dual = method.get("dual") if isinstance(method, dict) else None
    if isinstance(dual, dict) and "form" not in dual:
        dual.update(FORMER)


def control_going_on(spec: SweepSpec, begun: Mapping[str, Any]) -> SweepSpec:
    """Return a spec with the control settings of the sweep that it continues, where it sets none.

    Args:
        spec: The loaded spec.
        begun: The stored spec, filled in.
    """
    method = begun.get("method")
    dual = method.get("dual") if isinstance(method, Mapping) else None
    if not isinstance(dual, Mapping):
        return spec
    own = spec.method.dual
    said = own.model_fields_set if "dual" in spec.method.model_fields_set else set()
    kept = {k: v for k, v in dual.items() if k in type(own).model_fields and k not in said}
    controlled = own.model_copy(update=kept)
    return spec.model_copy(update={"method": spec.method.model_copy(update={"dual": controlled})})
