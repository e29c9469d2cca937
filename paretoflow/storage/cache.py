"""Adapters from an object store, kept on this machine under the digest of their content."""

from __future__ import annotations

import os
import re
from pathlib import Path

from paretoflow.core.errors import ModelError
from paretoflow.core.ids import digest_of_folder
from paretoflow.storage.folder import Folder

_DIGEST = re.compile(r"[0-9a-f]{16,128}")


def cached_adapter(root: Folder, name: str, digest: str) -> Path:
    """Return a folder on this machine with an adapter of a sweep.

    That of a local sweep is returned in place and unread. One from an object store is copied and
    checked the first time, and kept.

    Args:
        root: Where the sweep lives.
        name: The adapter's folder, relative to it.
        digest: SHA-256 of the folder, as the ledger holds it.

    Raises:
        ModelError: If it is gone, or what is there has another digest.
    """
    if root.local is not None:
        return root.local / name
    if not _DIGEST.fullmatch(digest):
        raise ModelError(
            f"the ledger holds no digest of an adapter, but {digest!r}",
            f"{root}/{name}",
            "the ledger is damaged",
        )
    kept = adapter_cache() / digest
    if kept.is_dir() and digest_of_folder(kept) == digest:
        return kept
    try:
        root.fetch(name, kept)
    except FileNotFoundError:
        raise ModelError(
            "the adapter is gone", f"{root}/{name}", "restore it, or pick from another --snapshot"
        ) from None
    found = digest_of_folder(kept)
    if found != digest:
        raise ModelError(
            f"the adapter is not the one that was evaluated: SHA-256 {found[:12]}…, "
            f"the ledger says {digest[:12]}…",
            f"{root}/{name}",
            "restore it, or pick from another --snapshot",
        )
    return kept


def adapter_cache() -> Path:
    """Return the folder that copies are kept in; it may be deleted at any time."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "paretoflow" / "adapters"
