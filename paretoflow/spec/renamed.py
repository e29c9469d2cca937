"""Keys of the YAML that were renamed: the old name still works, with a warning.

A stored spec may keep the old name: `spec.engine` accepts it without a warning.
"""

from __future__ import annotations

import warnings

from paretoflow.core.errors import RenamedKeyWarning
from paretoflow.spec.positions import Document, Fault, Place
from paretoflow.spec.shape import KeyPath, entry

RENAMED = {("engine", "workers"): "worker_groups"}
"""Old path to the key's new name."""


def rename_keys(document: Document, *, warn: bool) -> list[Fault]:
    """Rename the old keys of a document; return the faults of those present under both names.

    Args:
        document: The document to change.
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
    """Return the path of an override with current names; warn of old ones."""
    if parts not in RENAMED:
        return parts
    new = (*parts[:-1], RENAMED[parts])
    warn_of(parts, new, place)
    return new


def warn_of(old: KeyPath, new: KeyPath, place: Place) -> None:
    """Warn that a key was renamed."""
    before, now = (".".join(map(str, path)) for path in (old, new))
    text = f"{place}: `{before}` is deprecated; write `{now}`, which means the same"
    warnings.warn(text, RenamedKeyWarning, stacklevel=2)
