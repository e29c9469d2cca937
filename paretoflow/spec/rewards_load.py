"""Load a YAML as `RewardSpec`; report all faults at once, each with file, line and column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from paretoflow.core.errors import SpecError
from paretoflow.spec.faults import allowed_by, code_of
from paretoflow.spec.load import error_of, read_text
from paretoflow.spec.paths import expand_paths
from paretoflow.spec.positions import Document, Fault, Place, shown
from paretoflow.spec.reader import read_yaml
from paretoflow.spec.rewards import RewardSpec
from paretoflow.spec.rules.rewards import reward_faults
from paretoflow.spec.shape import KeyPath, below, entry, model_at, nearest, value_at


def load_reward_spec(path: Path, overrides: Sequence[str] = ()) -> RewardSpec:
    """Read the YAML of `paretoflow train-reward`.

    Args:
        path: The file.
        overrides: Each as `a.b=value`; they replace the file's values in order.

    Raises:
        SpecError: With every fault found in `faults`.
    """
    document = read_yaml(read_text(path), str(path))
    if not isinstance(document.value, dict):
        what = f"got {shown(document.value)}; allowed: a mapping of keys"
        raise SpecError(
            what, str(document.values[()]), "it needs at least `pairs`", code="spec-wrong-type"
        )
    faults = [fault for text in overrides for fault in _put(document, text)] + document.faults
    faults += expand_paths(document)
    spec, found = _validated(document)
    faults += found if spec is None else reward_faults(spec)
    if spec is None or faults:
        raise error_of(document, faults)
    return spec


def _validated(document: Document) -> tuple[RewardSpec | None, list[Fault]]:
    try:
        return RewardSpec.model_validate_json(json.dumps(document.value), strict=True), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        return None, [_fault(document.value, d) for d in details if not _is_echo(document.value, d)]


def _is_echo(root: Any, detail: Any) -> bool:
    """Return whether a list is reported as too short only because its entries are faulty."""
    return detail["type"] == "too_short" and bool(value_at(tuple(detail["loc"]), root))


def _fault(root: Any, detail: Any) -> Fault:
    path: KeyPath = tuple(detail["loc"])
    model = _model_above(root, path)
    if detail["type"] == "extra_forbidden":
        known = list(model.model_fields)
        near = nearest(path[-1], known)
        what = f"unknown key `{path[-1]}`; allowed: {', '.join(known)}"
        return Fault(
            path,
            what,
            f"did you mean `{near}`?" if near else "remove it",
            at_key=True,
            code="spec-unknown-key",
        )
    if detail["type"] == "missing":
        return Fault(
            path,
            f"the key `{path[-1]}` is missing",
            f"add `{path[-1]}: …`",
            code="spec-missing-key",
        )
    field = model.model_fields.get(str(path[-1]))
    meaning = " ".join(((field.description if field else None) or "").split())
    what = f"got {shown(value_at(path, root))}; allowed: {allowed_by(detail)}"
    hint = f"this is: {meaning}" if meaning else "correct the value"
    return Fault(path, what, hint, code=code_of([detail]))


def _model_above(root: Any, path: KeyPath) -> Any:
    """Return the spec that the last key of a path belongs to."""
    annotation: Any = RewardSpec
    value = root
    for key in path[:-1]:
        annotation, value = below(annotation, value, key), entry(value, key)
    return model_at(annotation, value) or RewardSpec


def _put(document: Document, text: str) -> Iterator[Fault]:
    """Apply one override to the document."""
    dotted, equals, raw = (part.strip() for part in text.partition("="))
    place = Place(f"--set {dotted}")
    parts = dotted.split(".")
    if not equals or not all(parts):
        what = f"got {text!r}; allowed: key=value, for instance learning_rate=1e-5"
        yield Fault(
            (),
            what,
            "name the key with dots, then `=` and the value",
            place=place,
            code="spec-override",
        )
        return
    path: KeyPath = ()
    for part in parts[:-1]:
        here = value_at(path, document.value)
        path = (*path, int(part) if isinstance(here, list) and part.isdigit() else part)
        if isinstance(here, dict) and here.get(part) is None:
            document.put(path, {}, place)
    if not isinstance(value_at(path, document.value), dict):
        yield Fault(
            (),
            f"there is no mapping at `{'.'.join(parts[:-1])}`",
            "",
            place=place,
            code="spec-override",
        )
        return
    try:
        document.put((*path, parts[-1]), read_yaml(raw, place.source).value, place)
    except SpecError as error:
        yield Fault(
            (),
            f"got the value {raw!r}: {error.what}",
            error.hint,
            place=place,
            code="spec-override",
        )
