"""Keys of the YAML that were renamed: the old name still works, with a warning.

A stored spec may have the old name for good: `spec.engine` takes it without a word.
"""

from __future__ import annotations

import warnings

from paretoflow.core.errors import RenamedKeyWarning
from paretoflow.spec.positions import Document, Fault, Place
from paretoflow.spec.shape import KeyPath, entry

RENAMED = {("engine", "workers"): "worker_groups"}
"""Old path to the key's new name."""


def rename_keys(document: Document, *, warn: bool) -> list[Fault]:
    """Give the renamed keys of a document their new names; return those that have both.

    Args:
        document: Is changed.
        warn: Whether to warn of each, with its place.
    """
    faults = []
    for old, name in RENAMED.items():
        *above, key = old
        section = document.value
        for part in above:
            section = entry(section, part)
        if not isinstance(section, dict) or key not in section:
            continue
        new = (*above, name)
        if name in section:
            what = f"got `{key}` and `{name}`, which are one key; allowed: `{name}`"
            faults.append(
                Fault(old, what, f"remove `{key}`", at_key=True, code="spec-duplicate-key")
            )
            del section[key]
            continue
        place = document.keys.get(old) or document.place(Fault(old, "", ""))
        at = document.values.get(old, place)
        document.put(new, section.pop(key), place)
        document.values[new] = at
        if warn:
            warn_of(old, new, place)
    return faults


def new_path(parts: tuple[str, ...], place: Place) -> tuple[str, ...]:
    """Return the path that an override is for, warning where it has an old name."""
    if parts not in RENAMED:
        return parts
    new = (*parts[:-1], RENAMED[parts])
    warn_of(parts, new, place)
    return new


def warn_of(old: KeyPath, new: KeyPath, place: Place) -> None:
    """Warn that a key has another name now."""
    before, now = (".".join(map(str, path)) for path in (old, new))
    text = f"{place}: `{before}` is deprecated; write `{now}`, which means the same"
    warnings.warn(text, RenamedKeyWarning, stacklevel=2)
