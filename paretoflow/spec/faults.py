"""Translate pydantic's errors to faults of a sweep YAML: value, allowed values, hint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from paretoflow.spec.positions import Fault, shown
from paretoflow.spec.shape import (
    KeyPath,
    annotation_at,
    description_at,
    homes_of,
    model_at,
    models_of,
    nearest,
    path_of,
    value_at,
)
from paretoflow.spec.synonyms import advice_on, type_for

_ALLOWED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "tuple_type": "a list",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "string_pattern_mismatch": "a text that matches {pattern}",
    "string_too_short": "a text that is not empty",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
}
_KINDS = ("_type", "_from_float")
"""Endings of pydantic's error types for values of a wrong kind."""


def faults_of(error: ValidationError, root: Any) -> list[Fault]:
    """Return the faults that pydantic found in a document, one for each entry.

    Args:
        error: From validating the document.
        root: The document, as plain values.
    """
    found: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False, include_context=True):
        path = path_of(detail["loc"], root)
        if not _is_echo(detail, path, root):
            found.setdefault(path, []).append(detail)
    outer = {path[:-1] for path in found if path and isinstance(path[-1], int)}
    return [
        _fault(path, details, root)
        for path, details in found.items()
        if not (path in outer and _is_union_branch(details))
    ]


def _is_echo(detail: ErrorDetails, path: KeyPath, root: Any) -> bool:
    """Return whether a list is reported as too short only because its entries are faulty."""
    value = value_at(path, root)
    least = detail.get("ctx", {}).get("min_length", 0)
    return detail["type"] == "too_short" and isinstance(value, list) and len(value) >= least


def _is_union_branch(details: list[ErrorDetails]) -> bool:
    return all(detail["type"] == "string_type" for detail in details)


def _fault(path: KeyPath, details: list[ErrorDetails], root: Any) -> Fault:
    kind = details[0]["type"]
    if kind == "missing":
        return _missing(path, root)
    if kind == "extra_forbidden":
        return unknown_key(path, root)
    annotation = annotation_at(path, root)
    if models_of(annotation):
        return _untagged(path, models_of(annotation), root)
    allowed = " or ".join(dict.fromkeys(allowed_by(detail) for detail in details))
    value = value_at(path, root)
    hint = _hint(path, details[0], value, root)
    return Fault(path, f"got {shown(value)}; allowed: {allowed}", hint, code=code_of(details))


def code_of(details: Sequence[ErrorDetails]) -> str:
    """Return the code for a value of the wrong kind, or for one that is not allowed."""
    wrong = all(detail["type"].endswith(_KINDS) for detail in details)
    return "spec-wrong-type" if wrong else "spec-not-allowed"


def allowed_by(detail: ErrorDetails) -> str:
    """Return the values that pydantic accepts, in words."""
    template = _ALLOWED.get(detail["type"])
    if template is None:
        return detail["msg"]
    return template.format(**{key: _trim(value) for key, value in detail.get("ctx", {}).items()})


def _trim(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _missing(path: KeyPath, root: Any) -> Fault:
    hint = f"add `{path[-1]}: …`"
    description = description_at(path, root)
    return Fault(
        path,
        f"the key `{path[-1]}` is missing",
        f"{hint} ({description})" if description else hint,
        code="spec-missing-key",
    )


def unknown_key(path: KeyPath, root: Any) -> Fault:
    """Return the fault of an unknown key, with the nearest known one."""
    key, parent = str(path[-1]), path[:-1]
    model = model_at(annotation_at(parent, root), value_at(parent, root))
    allowed = list(model.model_fields) if model else []
    near = nearest(key, allowed)
    homes = homes_of(key)
    foreign = advice_on(key, allowed)
    if foreign:
        hint = foreign
    elif near:
        hint = f"did you mean `{near}`?"
    elif homes:
        hint = f"`{key}` is known under {' and '.join(homes)}; move it there or remove it"
    else:
        hint = "remove it"
    return Fault(
        path,
        f"unknown key `{key}`; allowed: {', '.join(allowed)}",
        hint,
        at_key=True,
        code="spec-unknown-key",
    )


def _untagged(path: KeyPath, models: Mapping[str, Any], root: Any) -> Fault:
    value = value_at(path, root)
    tags = ", ".join(models)
    if not isinstance(value, dict):
        near = nearest(value, models) if isinstance(value, str) else None
        hint = f"write `{{type: {near or next(iter(models))}}}`"
        return Fault(
            path,
            f"got {shown(value)}; allowed: a mapping with `type`, one of {tags}",
            hint,
            code="spec-wrong-type",
        )
    if "type" not in value:
        return Fault(
            path,
            f"the key `type` is missing; allowed: {tags}",
            "add `type: …`, first of all",
            code="spec-missing-key",
        )
    family = str(path[0]) if path else ""
    near = type_for(family, value["type"]) or nearest(value["type"], models)
    hint = f"did you mean `{near}`?" if near else "`paretoflow plugins` says what each does"
    return Fault(
        (*path, "type"),
        f"unknown type {shown(value['type'])}; allowed: {tags}",
        hint,
        code="spec-unknown-type",
    )


def _hint(path: KeyPath, detail: ErrorDetails, value: Any, root: Any) -> str:
    parts = list(_first_aid(detail, value))
    description = description_at(path, root)
    return "; ".join(
        [*parts, f"this is: {description}"] if description else parts or ["correct the value"]
    )


def _first_aid(detail: ErrorDetails, value: Any) -> Iterator[str]:
    kind = detail["type"]
    if value is None:
        yield "give a value, or remove the key to take its default"
    elif kind in ("literal_error", "enum"):
        options = [part.strip("'") for part in allowed_by(detail).replace(" or ", ", ").split(", ")]
        near = nearest(value, options)
        if near:
            yield f"did you mean `{near}`?"
    elif kind == "bool_type":
        yield "write true or false, without quotes"
    elif kind in ("int_type", "float_type") and isinstance(value, str):
        yield "write the number without quotes or unit"
    elif kind == "string_type" and not isinstance(value, (dict, list)):
        yield "put it in quotes"
