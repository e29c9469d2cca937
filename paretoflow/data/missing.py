"""Missing values of a column, as any writer may encode them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def is_missing(value: Any) -> bool:
    """Return whether a value is missing: null, NaN, an infinity, NaT, or blank text.

    JSON written from a pandas frame has NaN where a cell was empty, Parquet has null, and pandas'
    own NaT and NA are not equal to themselves. An infinity in a column of texts is a failed number.
    """
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, float):
        return not math.isfinite(value)
    return type(value).__name__ in ("NaTType", "NAType")


def present(value: Any) -> Any:
    """Return plain values without the entries that are null, at any depth.

    Parquet gives every mapping of a column the keys of all others, with nulls.
    """
    if isinstance(value, Mapping):
        return {key: present(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [present(inner) for inner in value]
    return value
