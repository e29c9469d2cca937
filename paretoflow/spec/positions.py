"""A document of plain values with the place of every key and value.

The values come from `reader` (YAML text) and `overrides` (`--set`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from paretoflow.core.errors import SpecError
from paretoflow.spec.shape import KeyPath, entry


@dataclass(frozen=True, order=True)
class Place:
    """A spot in a file (line and column from 1), or an option of the command line (line 0)."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Return `jobs/x.yaml:14:9`, or the option as it was given."""
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True)
class Fault:
    """A fault of a document.

    Args:
        path: The faulty entry; for a missing entry, the path that it would have.
        what: The value and the allowed values.
        hint: What to do about it.
        at_key: Whether the key is at fault, not its value.
        place: Place of the entry, if the path is not in the document.
        code: Code of the fault, one of `core.codes`.
    """

    path: KeyPath
    what: str
    hint: str
    at_key: bool = False
    place: Place | None = None
    code: str = "spec-contradiction"

    def plain_error(self) -> SpecError:
        """Return the fault as an error, located by its key: a spec built in Python has no lines."""
        return SpecError(self.what, ".".join(map(str, self.path)), self.hint, code=self.code)


@dataclass
class Document:
    """Plain values with the place of every key and value."""

    source: str
    value: Any = None
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    values: dict[KeyPath, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def place(self, fault: Fault) -> Place:
        """Return the place of a fault: its own entry, or the nearest above it in the document."""
        if fault.place is not None:
            return fault.place
        if fault.at_key and fault.path in self.keys:
            return self.keys[fault.path]
        paths = (fault.path[:end] for end in range(len(fault.path), -1, -1))
        return next(self.values[p] for p in paths if p in self.values)

    def error(self, fault: Fault) -> SpecError:
        """Return a fault as an error, located as `jobs/x.yaml:14:9 method.beta`."""
        place, dotted = str(self.place(fault)), self.dotted(fault.path)
        told = place.removeprefix("--set ") == dotted or not dotted
        where = place if told else f"{place} {dotted}"
        return SpecError(fault.what, where, fault.hint, code=fault.code)

    def dotted(self, path: KeyPath) -> str:
        """Return a path in the form of `--set`, with objectives by name."""
        parts = [str(key) for key in path]
        if len(path) > 1 and path[0] == "objectives":
            objective = entry(entry(self.value, "objectives"), path[1])
            name = entry(objective, "name")
            parts[1] = name if isinstance(name, str) and name.isidentifier() else parts[1]
        return ".".join(parts)

    def put(self, path: KeyPath, value: Any, place: Place) -> None:
        """Set an entry whose parent exists, with `place` as its place."""
        parent = self.value
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = value
        for places in (self.keys, self.values):
            for stale in [p for p in places if p[: len(path)] == path]:
                del places[stale]
            places[path] = place


def shown(value: Any) -> str:
    """Return a value as a person would write it, at most 60 characters long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
