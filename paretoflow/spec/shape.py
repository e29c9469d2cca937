"""Allowed values at a place of a sweep YAML, derived from the pydantic models.

A key path is a tuple of keys and list indices, for instance `("objectives", 0, "ref")`. Everything
here is a walk over the models of `spec`, so a new plug-in needs no line in this module.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from paretoflow.spec.base import Spec
from paretoflow.spec.sweep import SweepSpec

KeyPath = tuple[str | int, ...]

FAMILIES = ("objectives", "data", "model", "method", "proposer", "tracking")
"""Keys of the root that hold `{type: …}` entries."""


def variants(annotation: Any) -> tuple[type[Spec], ...]:
    """Return the spec models of an annotation, through unions and None."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return (annotation,)
    if get_origin(annotation) is Annotated:
        return variants(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(chain.from_iterable(variants(a) for a in get_args(annotation)))
    return ()


def tag_of(model: type[Spec]) -> str | None:
    """Return the `type` that a model stands for; None for a model outside any family."""
    tag = model.model_fields.get("type")
    return None if tag is None else str(get_args(tag.annotation)[0])


def models_of(annotation: Any) -> dict[str, type[Spec]]:
    """Return the models of a family by their tag; empty when the annotation is no family."""
    return {tag: model for model in variants(annotation) if (tag := tag_of(model)) is not None}


def family(key: str) -> dict[str, type[Spec]]:
    """Return the models of one of `FAMILIES` by their tag."""
    annotation = SweepSpec.model_fields[key].annotation
    return models_of(get_args(annotation)[0] if get_origin(annotation) is tuple else annotation)


def model_at(annotation: Any, value: Any) -> type[Spec] | None:
    """Return the model of a mapping; None when none or several fit."""
    tagged = models_of(annotation)
    if tagged:
        return tagged.get(str(value.get("type"))) if isinstance(value, dict) else None
    return next(iter(variants(annotation)), None)


def below(annotation: Any, value: Any, key: str | int) -> Any:
    """Return the annotation of the entry `key` of a value; None when no model has it."""
    if isinstance(key, int):
        args = next((get_args(a) for a in (annotation, *get_args(annotation)) if _is_list(a)), ())
        return args[0] if Ellipsis in args else (args[key] if key < len(args) else None)
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    model = model_at(annotation, value)
    field = model.model_fields.get(key) if model else None
    return None if field is None else field.annotation


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in (tuple, list)


def annotation_at(path: KeyPath, root: Any) -> Any:
    """Return the annotation at a path of a document; None when no model has it."""
    annotation: Any = SweepSpec
    value = root
    for key in path:
        annotation = below(annotation, value, key)
        value = entry(value, key)
    return annotation


def entry(value: Any, key: str | int) -> Any:
    """Return the entry of a mapping or a list; None when there is none."""
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return None


def path_of(loc: tuple[int | str, ...], root: Any) -> KeyPath:
    """Convert pydantic's `loc` to a path of the document, without union tags."""
    path: KeyPath = ()
    annotation: Any = SweepSpec
    value = root
    tagged = False
    for part in loc:
        if not tagged and part in models_of(annotation):
            tagged = True
            continue
        if isinstance(part, str) and not isinstance(value, dict):
            continue
        annotation, value, tagged = below(annotation, value, part), entry(value, part), False
        path = (*path, part)
    return path


def description_at(path: KeyPath, root: Any) -> str:
    """Return the first sentence of the docstring of the field at a path; empty for none."""
    *parents, last = path or ("",)
    model = model_at(annotation_at(tuple(parents), root), value_at(tuple(parents), root))
    field = model.model_fields.get(str(last)) if model else None
    text = " ".join((field.description or "").split()) if field else ""
    return text.split(". ")[0].rstrip(".")


def value_at(path: KeyPath, root: Any) -> Any:
    """Return the value at a path of a document; None when there is none."""
    for key in path:
        root = entry(root, key)
    return root


def homes_of(key: str) -> tuple[str, ...]:
    """Return the sections that know a key, for instance `engine` or `method (type grpo)`."""
    return _homes().get(key, ())


@cache
def _homes() -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for home, name in _fields(SweepSpec, ""):
        found.setdefault(name, {})[home] = None
    return {name: tuple(homes) for name, homes in found.items()}


def _fields(
    model: type[Spec], home: str, within: tuple[type[Spec], ...] = ()
) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        yield home or "the top level", name
        for annotation in (field.annotation, *get_args(field.annotation)[:1]):
            for child in variants(annotation):
                if child in within:  # a proposer may hold proposers
                    continue
                tag = f" (type {tag_of(child)})" if tag_of(child) else ""
                yield from _fields(
                    child, f"{home.split(' (')[0]}.{name}{tag}".lstrip("."), (*within, child)
                )


def nearest(name: object, options: Iterable[str]) -> str | None:
    """Return the option that is nearest to a name; None when nothing is near."""
    by_key = {option.lower().replace("-", "_"): option for option in options}
    found = difflib.get_close_matches(str(name).lower().replace("-", "_"), by_key, n=1)
    return by_key[found[0]] if found else None
