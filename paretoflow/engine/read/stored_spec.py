"""Read the spec that lies in a sweep's folder, of this version, an earlier or a later one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from paretoflow.core.errors import DamagedError, SweepNotFoundError
from paretoflow.spec.former import as_begun
from paretoflow.spec.former_control import control_as_begun
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Folder, Root, as_folder

SPEC_FILE = "spec.json"
_SPEC_HINT = (
    "restore it from a copy, or move it away and run the same YAML again, which writes it again"
)


def read_spec(root: Root) -> dict[str, Any]:
    """Return the resolved spec that a sweep was started with.

    Raises:
        SweepNotFoundError: If the folder holds no sweep.
        StorageError: If storage refuses.
        DamagedError: If its spec file is damaged.
    """
    folder = as_folder(root)
    where = f"{folder}/{SPEC_FILE}"
    try:
        spec = json.loads(folder.read(SPEC_FILE).decode())
    except (FileNotFoundError, NotADirectoryError):
        raise SweepNotFoundError(
            f"no sweep lives in {folder}",
            hint="give the place that `paretoflow run` printed, <storage>/<name>",
        ) from None
    except (ValueError, RecursionError) as error:
        told = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise DamagedError(f"not readable as JSON: {told}", where, _SPEC_HINT) from error
    if not isinstance(spec, dict) or not isinstance(spec.get("name", ""), str):
        raise DamagedError("it holds no spec of a sweep", where, _SPEC_HINT)
    _require_no_renamed_key(folder, spec)
    return _as_begun(spec)


def whole_spec(folder: Folder, spec: dict[str, Any]) -> dict[str, Any]:
    """Return a stored spec with keys that earlier versions lacked; keys of newer versions stay.

    Raises:
        DamagedError: If this version cannot read the spec.
    """
    try:
        return SweepSpec.model_validate_json(json.dumps(spec), strict=True).model_dump(mode="json")
    except ValidationError as error:
        wrong = [e for e in error.errors() if e["type"] != "extra_forbidden"]
        if not wrong:
            return spec
        raise _damaged(folder, wrong[0]["loc"], wrong[0]["msg"]) from error


def _damaged(folder: Folder, place: Sequence[str | int], told: str) -> DamagedError:
    key = ".".join(str(part) for part in place)
    what = f"it is damaged, or of another version of ParetoFlow: {key}: {told}"
    return DamagedError(what, f"{folder}/{SPEC_FILE}", _SPEC_HINT)


def _require_no_renamed_key(folder: Folder, spec: dict[str, Any]) -> None:
    """Refuse an unknown key beside a missing one: a stored spec has every key of its version."""
    try:
        SweepSpec.model_validate_json(json.dumps(spec), strict=True)
        return
    except ValidationError as error:
        faults = error.errors()
    known = deepcopy(spec)
    places = [fault["loc"] for fault in faults if fault["type"] == "extra_forbidden"]
    for place in places:
        _value_at(known, place[:-1]).pop(place[-1], None)
    try:
        read = SweepSpec.model_validate_json(json.dumps(known), strict=True)
        whole = read.model_dump(mode="json")
    except ValidationError:
        return  # `whole_spec` tells that
    for place in places:
        there = _value_at(spec, place[:-1])
        missing = [key for key in _value_at(whole, place[:-1]) if key not in there]
        if missing:
            told = f"no key of a spec, while {', '.join(missing)} is missing beside it"
            raise _damaged(folder, place, told)


def _value_at(value: Any, place: Sequence[str | int]) -> Any:
    """Return the value at a place of an error, which names the types of variants too."""
    for part in place:
        if isinstance(part, int) if isinstance(value, list) else part in value:
            value = value[part]
    return value


def _as_begun(spec: dict[str, Any]) -> dict[str, Any]:
    """Fill in the defaults of earlier versions where the default has changed since."""
    data = spec.get("data")
    if isinstance(data, dict) and "columns" in data:
        data.setdefault("drawn_by", "row")
    control_as_begun(spec)
    return as_begun(spec)
