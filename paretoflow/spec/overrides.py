"""`--set a.b=value`: replace values of a sweep YAML before it is validated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_origin

from paretoflow.core.errors import SpecError
from paretoflow.spec.faults import unknown_key
from paretoflow.spec.positions import Document, Fault, Place, shown
from paretoflow.spec.reader import read_yaml
from paretoflow.spec.renamed import new_path
from paretoflow.spec.shape import (
    KeyPath,
    annotation_at,
    entry,
    model_at,
    models_of,
    nearest,
    tag_of,
)
from paretoflow.spec.sweep import SweepSpec


def apply_overrides(document: Document, overrides: Sequence[str]) -> list[Fault]:
    """Apply every override to the document, in order, and return the faults of invalid ones.

    A part may be the name of an objective (`objectives.coverage.ref=0`) or an index; a section that
    is missing in the YAML starts from its default.
    """
    return [fault for text in overrides for fault in _apply(document, text)]


def _apply(document: Document, text: str) -> list[Fault]:
    dotted, equals, raw = text.partition("=")
    dotted = dotted.strip()
    place = Place(f"--set {dotted}")
    if not equals or not all(dotted.split(".")):
        what = f"got {text!r}; allowed: key=value, for instance method.beta=0.2"
        return [
            Fault(
                (),
                what,
                "name the key with dots, then `=` and the value",
                place=place,
                code="spec-override",
            )
        ]
    try:
        given = read_yaml(raw, place.source)
    except SpecError as error:
        return [
            Fault(
                (),
                f"got the value {raw!r}: {error.what}",
                error.hint,
                place=place,
                code="spec-override",
            )
        ]
    if given.faults:
        return [
            Fault((), fault.what, fault.hint, place=place, code=fault.code)
            for fault in given.faults
        ]
    path, fault = _resolve(document, new_path(tuple(dotted.split(".")), place), place)
    if fault is not None:
        return [fault]
    document.put(path, given.value, place)
    return []


def _resolve(
    document: Document, parts: tuple[str, ...], place: Place
) -> tuple[KeyPath, Fault | None]:
    """Walk to an entry, and create missing sections above it."""
    path: KeyPath = ()
    here: Any = document.value
    for depth, part in enumerate(parts):
        key, fault = _key(document, here, path, part)
        if fault is not None:
            return (), replace(fault, place=place)
        path = (*path, key)
        if depth < len(parts) - 1:
            if entry(here, key) is None and (default := _default(document, path)) is not None:
                document.put(path, default, place)
            here = entry(here, key)
    return path, None


def _key(document: Document, here: Any, path: KeyPath, part: str) -> tuple[str | int, Fault | None]:
    if isinstance(here, list):
        return _index(document, here, path, part)
    if not isinstance(here, dict):
        what = f"`{document.dotted(path)}` is {shown(here)}, which has no key `{part}`"
        return part, Fault(
            (), what, "set the whole of it, or correct it first", code="spec-override"
        )
    annotation = annotation_at(path, document.value)
    model = model_at(annotation, here)
    # a key of a section with no or a faulty type is checked once the type is known
    if model is not None and part not in model.model_fields and part not in here:
        return part, unknown_key((*path, part), document.value)
    return part, None


def _index(
    document: Document, here: list[Any], path: KeyPath, part: str
) -> tuple[str | int, Fault | None]:
    if part.isdigit() and int(part) < len(here):
        return int(part), None
    names = [entry(item, "name") for item in here]
    if part in names:
        return names.index(part), None
    known = [name for name in names if isinstance(name, str)]
    near = nearest(part, known)
    allowed = f"0 to {len(here) - 1}" + (f", or one of {', '.join(known)}" if known else "")
    what = f"`{document.dotted(path)}` has no entry `{part}`; allowed: {allowed}"
    return part, Fault(
        (),
        what,
        f"did you mean `{near}`?" if near else "overrides change entries, never add",
        code="spec-override",
    )


def _default(document: Document, path: KeyPath) -> dict[str, Any] | None:
    """Return the start of a missing section: its default's type."""
    annotation = annotation_at(path, document.value)
    if models_of(annotation):
        field = SweepSpec.model_fields[str(path[0])]
        return {"type": tag_of(type(field.default))} if len(path) == 1 else {}
    is_free = annotation is None or get_origin(annotation) is dict
    return {} if is_free or model_at(annotation, {}) is not None else None
