"""Check of a sweep's storage folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

from paretoflow.core.user import home_path
from paretoflow.spec.positions import Fault
from paretoflow.spec.sweep import SweepSpec


def storage_findings(spec: SweepSpec) -> Iterator[Fault]:
    """Yield why no sweep can be written below a local storage; `run` checks object stores."""
    scheme, found, rest = spec.storage.partition("://")
    if found and scheme != "file":
        return
    root = home_path(rest if found else spec.storage) / spec.name
    there = root.absolute()
    while not os.path.lexists(there):
        there = there.parent
    path = ("name",) if there == root.absolute() else ("storage",)
    if not there.is_dir():
        what = f"{str(there)!r} is no folder, so no sweep can live at {str(root)!r}"
        yield Fault(path, what, "name another folder, or another sweep", code="spec-unusable-file")
    elif not os.access(there, os.W_OK | os.X_OK):
        what = f"{str(there)!r} cannot be written to"
        yield Fault(
            path, what, "name another folder, or change its rights", code="spec-unusable-file"
        )
