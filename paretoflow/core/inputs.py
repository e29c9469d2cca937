"""Digests of the inputs that scores depend on, and their changes between two sessions.

Scores of two sessions are comparable only where both had the same prompts, base, tokenizer, scorers
and way of sampling. So the inputs are recorded when the objectives are frozen, and every worker
compares them at every start. No name here is a path of a machine: a folder that was moved or
renamed as a whole counts as unchanged.

Versions of a library that differ in their last part (2.13.0 and 2.13.1, +cpu and +cu126) are
reported and noted, but do not stop a sweep. Such releases fix bugs and leave results unchanged. A
long sweep must not stop for each of them, or its owner learns to accept every change unread. Any
other difference of versions stops the sweep, since minor releases of these libraries change
defaults of trainers, templates and sampling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from paretoflow.core.errors import ChangedInputsError
from paretoflow.core.ids import digest_of

PROMPT_DIGITS = 12
"""Hex digits of a prompt's digest that are kept: one in 10^14 changes goes unnoticed."""
ACCEPT = "--accept-change"
_HINT = (
    "put it back as it was, or start a sweep of another name; with --accept-change the sweep goes "
    "on, and its report and exports say that evaluations before and after are not alike"
)
_KEYS = ("prompts", "files", "values", "versions")
_SHOWN = 5
_LONGEST = 40


@dataclass(frozen=True)
class Inputs:
    """Digests of the inputs that scores depend on.

    Args:
        prompts: Digests of the prompts of each set, concatenated in the prompts' order.
        files: SHA-256 of each file that a key of the spec names, by key and file name.
        values: Settings by key of the spec, as JSON text. Defaults are left out, so that a version
            with more settings finds no change in old sweeps.
        versions: Versions of libraries, by name.
        names: Text to show beside a key of the spec, for instance the name of a file. It is for
            messages to the user alone, so it is not in the ledger, which is exported.
    """

    prompts: Mapping[str, str]
    files: Mapping[str, Mapping[str, str]]
    values: Mapping[str, str]
    versions: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def digest(self) -> str:
        """Return one SHA-256 of all inputs whose change stops a sweep."""
        versions = {name: _series(version) for name, version in self.versions.items()}
        return digest_of([self.prompts, self.files, self.values, versions])

    def without_version(self, name: str) -> Inputs:
        """Return the same inputs without the version of a library."""
        return replace(self, versions={k: v for k, v in self.versions.items() if k != name})

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for the ledger."""
        return {
            "prompts": dict(self.prompts),
            "files": {key: dict(files) for key, files in self.files.items()},
            "values": dict(self.values),
            "versions": dict(self.versions),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any] | None) -> Inputs | None:
        """Read `to_dict`'s form; None where an older version recorded nothing."""
        if not plain:
            return None
        return cls(*(plain.get(key, {}) for key in _KEYS))


@dataclass(frozen=True)
class Changes:
    """Differences between two inputs, each item in words.

    Args:
        stops: Changes that make scores before and after incomparable.
        told: Changes that are only reported and noted.
    """

    stops: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Check whether anything differs."""
        return bool(self.stops or self.told)

    @property
    def all(self) -> tuple[str, ...]:
        """Return every item, those that stop a sweep first."""
        return self.stops + self.told


def changes(old: Inputs, new: Inputs) -> Changes:
    """Return the changes of the inputs from one session to another."""
    stops = [*_files(old, new), *_prompts(old, new), *_values(old, new)]
    told: list[str] = []
    for name in sorted(old.versions.keys() | new.versions.keys()):
        was, now = old.versions.get(name, ""), new.versions.get(name, "")
        if was != now:
            words = f"version of {name}: {was or 'none'} became {now or 'none'}"
            (told if _series(was) == _series(now) else stops).append(words)
    return Changes(tuple(stops), tuple(told))


def require_same(old: Inputs, new: Inputs, where: str = "") -> Changes:
    """Refuse changes between two inputs that make scores incomparable; return the others.

    Raises:
        ChangedInputsError: Naming every item.
    """
    return require_none(changes(old, new), where)


def require_none(found: Changes, where: str = "") -> Changes:
    """Refuse changes that make scores incomparable; return the others, which are only reported.

    Raises:
        ChangedInputsError: Naming every item.
    """
    if found.stops:
        many = len(found.stops) > 1
        listed = "".join(f"\n  {item}" for item in found.stops) if many else f" {found.stops[0]}"
        count = f"{len(found.stops)} things have" if many else "something has"
        what = f"{count} changed that scores depend on, since the objectives were frozen:{listed}"
        raise ChangedInputsError(what, where, _HINT)
    return found


def _series(version: str) -> str:
    """Return the parts of a version that stop a sweep: the first two, or all where there are none.

    By hand: 2.13.1+cpu gives 2.13.
    """
    parts = re.match(r"\d+\.\d+", version)
    return parts.group() if parts else version


def _label(key: str, inputs: Inputs) -> str:
    name = inputs.names.get(key, "")
    return f"{key} {name}" if name else key


def _files(old: Inputs, new: Inputs) -> Iterator[str]:
    for key in sorted(old.files.keys() | new.files.keys()):
        before, after = old.files.get(key, {}), new.files.get(key, {})
        items = [
            _difference(name, before.get(name), after.get(name))
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ]
        if items:
            yield f"{_label(key, new)}: {_listed(items)}"


def _difference(name: str, before: str | None, after: str | None) -> str:
    if before is None:
        return f"{name} is new"
    return f"{name} is gone" if after is None else f"{name} changed"


def _listed(items: list[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def _prompts(old: Inputs, new: Inputs) -> Iterator[str]:
    items = []
    for name in sorted(old.prompts.keys() | new.prompts.keys()):
        before, after = _each(old.prompts.get(name, "")), _each(new.prompts.get(name, ""))
        if before == after:
            continue
        other = len(set(after) - set(before)) + max(0, len(before) - len(after))
        if other:
            items.append(f"{other} of {max(len(before), len(after))} {name} prompts differ")
        else:
            items.append(f"the {name} prompts stand in another order")
    if items:
        key = "data.path" if "data.path" in new.names else "data"
        yield f"{_label(key, new)}: {', '.join(items)}"


def _each(text: str) -> list[str]:
    return [text[i : i + PROMPT_DIGITS] for i in range(0, len(text), PROMPT_DIGITS)]


def _values(old: Inputs, new: Inputs) -> Iterator[str]:
    for key in sorted(old.values.keys() | new.values.keys()):
        was, now = old.values.get(key), new.values.get(key)
        if was != now:
            yield f"{key}: {_value(was)} became {_value(now)}"


def _value(text: str | None) -> str:
    if text is None:
        return "the default"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def joined(digests: Iterable[str]) -> str:
    """Return digests of prompts as `Inputs.prompts` holds them."""
    return "".join(digest[:PROMPT_DIGITS] for digest in digests)
