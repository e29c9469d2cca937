"""Expand `~`, `$NAME` and `${NAME}` in the paths of a YAML: one rule for all of them.

A path is expanded when the YAML is read, so that a sweep's stored spec names one place for every
machine and every session. `$$` stands for a dollar sign. A variable that is not set is a fault: a
folder of its name is hardly ever meant.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from paretoflow.core.errors import SpecError
from paretoflow.spec.positions import Document, Fault
from paretoflow.spec.shape import KeyPath, entry

_VARIABLE = re.compile(r"\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
_WORD = re.compile(r"~(?:/|$)|\$[A-Za-z_{]")
"""Start of a program's argument that is a path."""


def expand_paths(document: Document, environ: Mapping[str, str] = os.environ) -> list[Fault]:
    """Expand every path of a document in place; return the faults of those that cannot be."""
    faults = []
    for path, text in list(_paths(document.value)):
        found = expanded(text, environ)
        if isinstance(found, Fault):
            faults.append(replace(found, path=path))
        elif found != text:
            parent: Any = document.value
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = found
    return faults


def expanded(text: str, environ: Mapping[str, str] = os.environ) -> str | Fault:
    """Return an expanded path or URI, or its fault."""
    unset = [a or b for a, b in _VARIABLE.findall(text) if (a or b) and not environ.get(a or b)]
    if unset:
        what = f"got {text!r}, and the variable {unset[0]} is not set"
        return Fault(
            (),
            what,
            "export it, write the path out, or write $$ for a dollar sign",
            code="spec-variable",
        )
    found = _VARIABLE.sub(lambda m: environ[m[1] or m[2]] if m[1] or m[2] else "$", text)
    if not text.startswith("~"):
        return found
    home = environ.get("HOME") if found == "~" or found.startswith("~/") else None
    found = home.rstrip("/") + found[1:] if home else os.path.expanduser(found)  # noqa: PTH111
    if found.startswith("~"):
        what = f"got {text!r}, and no such home folder is known"
        return Fault((), what, "write the path out", code="spec-variable")
    return found


def written_out(text: str, where: str) -> str:
    """Return an expanded path or URI.

    Raises:
        SpecError: If it cannot be expanded; `where` is its place.
    """
    found = expanded(text)
    if isinstance(found, Fault):
        raise SpecError(found.what, where, found.hint, code=found.code)
    return found


def _paths(root: Any) -> Iterator[tuple[KeyPath, str]]:
    """Yield every path in a document's values, with its place."""
    places: list[KeyPath] = [("storage",), ("output",), ("data", "path"), ("model", "path")]
    objectives, trackers, pairs = (_items(root, k) for k in ("objectives", "tracking", "pairs"))
    for index, objective in enumerate(objectives):
        if entry(objective, "type") == "reward_model":
            places.append(("objectives", index, "path"))
    places += [("tracking", i, key) for i, _ in enumerate(trackers) for key in ("folder", "uri")]
    places += [("pairs", i, "path") for i, _ in enumerate(pairs)]
    sources = _items(entry(root, "data"), "sources")
    places += [("data", "sources", i, "path") for i, _ in enumerate(sources)]
    for path in places:
        value = root
        for key in path:
            value = entry(value, key)
        if isinstance(value, str):
            yield path, value
    for index, word in enumerate(_items(entry(root, "method"), "argv")):
        if isinstance(word, str) and _WORD.match(word):
            yield ("method", "argv", index), word


def _items(value: Any, key: str) -> list[Any]:
    found = entry(value, key)
    return found if isinstance(found, list) else []
