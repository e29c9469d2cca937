"""Copies adapters out of a sweep, each checked against the digest that the ledger holds of it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from paretoflow.core.errors import ModelError
from paretoflow.core.views import FrontPoint, SweepView
from paretoflow.storage import Folder, as_folder
from paretoflow.storage.adapters import require_adapter

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def copy_adapters(view: SweepView, target: Path) -> None:
    """Copy the adapter of every trained point of a front to `target/<adapter_name>`, each once.

    Raises:
        ModelError: If one is missing, outside the sweep, holds links, or is not what was evaluated.
    """
    root = as_folder(view.root)
    for point in view.front.points:
        if point.path:
            _copy_adapter(root, point, target)


def _copy_adapter(root: Folder, point: FrontPoint, adapters: Path) -> None:
    """Copy an adapter folder, then check the copy, so that what was checked is what was copied.

    Raises:
        ModelError: If it is missing, outside the sweep, holds links, or is not what was evaluated.
    """
    if not _SAFE_NAME.fullmatch(point.adapter_name):
        raise ModelError(
            f"{point.snapshot_id!r} is not the name of a snapshot",
            root.uri,
            "the ledger is damaged",
        )
    where = f"{root}/{point.path}"
    if ".." in point.path.split("/") or (root.local and not _is_within(root.local, point.path)):
        raise ModelError(
            f"the adapter of {point.snapshot_id} lies outside its sweep",
            where,
            "the ledger is damaged",
        )
    copy = adapters / point.adapter_name
    if copy.exists():  # another point of the same adapter
        require_adapter(copy, point.digest, where)
        return
    try:
        source = root.fetch(point.path, copy)
    except FileNotFoundError:
        raise ModelError(
            f"the adapter of {point.snapshot_id} is gone",
            where,
            "restore the folder, or export another --snapshot",
        ) from None
    if source != copy:  # a local sweep: fetched in place
        _copy_local(source, copy, point.snapshot_id)
    require_adapter(copy, point.digest, where)


def _is_within(root: Path, path: str) -> bool:
    return (root / path).resolve().is_relative_to(root.resolve())


def _copy_local(source: Path, copy: Path, snapshot_id: str) -> None:
    if source.is_symlink() or any(p.is_symlink() for p in source.rglob("*")):
        raise ModelError(
            f"the adapter of {snapshot_id} holds links, which an export does not follow",
            str(source),
            "put the files themselves there",
        )
    shutil.copytree(source, copy, symlinks=True)
