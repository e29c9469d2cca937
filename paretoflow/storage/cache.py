"""Adapters from an object store, kept on this machine under the digest of their content."""

from __future__ import annotations

import os
from pathlib import Path

from paretoflow.core.ids import digest_of_folder
from paretoflow.storage.adapters import checked_adapter
from paretoflow.storage.folder import Folder


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
    kept = adapter_cache() / digest
    if root.local is None and kept.is_dir() and digest_of_folder(kept) == digest:
        return kept
    return checked_adapter(root, name, digest, kept)


def adapter_cache() -> Path:
    """Return the folder that copies are kept in; it may be deleted at any time."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "paretoflow" / "adapters"
