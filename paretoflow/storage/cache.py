"""Cache of adapters from an object store, on this machine, by the digest of their content."""

from __future__ import annotations

import os
from pathlib import Path

from paretoflow.core.ids import digest_of_folder
from paretoflow.storage.adapters import checked_adapter
from paretoflow.storage.folder import Folder
from paretoflow.storage.private import private_folder, scratch_folder


def cached_adapter(root: Folder, name: str, digest: str) -> Path:
    """Return a folder on this machine with an adapter of a sweep.

    The folder of a local sweep is returned in place. From an object store it is copied the first
    time, and kept.

    Args:
        root: Folder of the sweep.
        name: The adapter's folder, relative to `root`.
        digest: SHA-256 of the folder, from the ledger.

    Raises:
        AdapterError: If the adapter is gone, or has another digest.
    """
    if root.local is not None:
        return checked_adapter(root, name, digest, root.local / name)
    kept = adapter_cache() / digest
    if kept.is_dir() and digest_of_folder(kept) == digest:
        return kept
    return checked_adapter(root, name, digest, kept)


def adapter_cache() -> Path:
    """Return the folder of the cache; it may be deleted at any time.

    Raises:
        UserError: If other users can access it.
    """
    home = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")  # noqa: PTH111
    if home.startswith("~") or not _may_write(Path(home)):  # a user without a home folder
        return scratch_folder() / "adapters"
    return private_folder(Path(home) / "paretoflow") / "adapters"


def _may_write(path: Path) -> bool:
    there = next(p for p in (path, *path.parents) if p.exists())
    return os.access(there, os.W_OK)
