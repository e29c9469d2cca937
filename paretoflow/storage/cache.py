"""Adapters from an object store, kept on this machine under the digest of their content."""

from __future__ import annotations

import os
from pathlib import Path

from paretoflow.core.ids import digest_of_folder
from paretoflow.storage.adapters import checked_adapter
from paretoflow.storage.folder import Folder
from paretoflow.storage.private import private_folder, scratch_folder


def cached_adapter(root: Folder, name: str, digest: str) -> Path:
    """Return a folder on this machine with an adapter of a sweep.

    That of a local sweep is returned in place. One from an object store is copied the first time,
    and kept.

    Args:
        root: Where the sweep lives.
        name: The adapter's folder, relative to it.
        digest: SHA-256 of the folder, as the ledger holds it.

    Raises:
        AdapterError: If it is gone, or what is there has another digest.
    """
    if root.local is not None:
        return checked_adapter(root, name, digest, root.local / name)
    kept = adapter_cache() / digest
    if kept.is_dir() and digest_of_folder(kept) == digest:
        return kept
    return checked_adapter(root, name, digest, kept)


def adapter_cache() -> Path:
    """Return the folder that copies are kept in; it may be deleted at any time.

    Raises:
        UserError: If it is not this user's alone.
    """
    home = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")  # noqa: PTH111
    if home.startswith("~") or not _may_write(Path(home)):  # a user without a home of its own
        return scratch_folder() / "adapters"
    return private_folder(Path(home) / "paretoflow") / "adapters"


def _may_write(path: Path) -> bool:
    there = next(p for p in (path, *path.parents) if p.exists())
    return os.access(there, os.W_OK)
