"""Adapters of a sweep, checked against their digests in the ledger before any use.

A changed adapter loads as well as the evaluated one, without notice. So all code that delivers an
adapter, or starts training from one, fetches it here.
"""

from __future__ import annotations

import re
from pathlib import Path

from paretoflow.core.errors import AdapterError
from paretoflow.core.ids import digest_of_folder
from paretoflow.storage.folder import Folder

_DIGEST = re.compile(r"[0-9a-f]{16,128}")
_CHOOSE = "restore the folder from a copy, or choose another point or --snapshot"


def checked_adapter(
    root: Folder, name: str, digest: str, to: Path | None = None, hint: str = _CHOOSE
) -> Path:
    """Return a folder on this machine with an adapter, checked to be the evaluated one.

    Args:
        root: Folder of the sweep.
        name: The adapter's folder, relative to `root`.
        digest: SHA-256 of the folder, from the ledger.
        to: Destination of a copy from an object store; a local folder is returned in place.
        hint: Hint in the error for a lost or changed adapter.

    Raises:
        AdapterError: If the adapter is gone, or has another digest.
        FileNotFoundError: If the whole sweep is gone: its storage may be away for a moment.
    """
    where = f"{root}/{name}"
    if not _DIGEST.fullmatch(digest):
        what = f"the ledger holds no digest of an adapter, but {digest!r}"
        raise AdapterError(what, where, "the ledger is damaged", code="adapter-changed")
    try:
        folder = root.fetch(name, to or Path())
    except FileNotFoundError:
        if root.local is not None and not root.local.is_dir():
            raise
        raise AdapterError("the adapter is gone", where, hint, code="adapter-gone") from None
    require_adapter(folder, digest, where, hint)
    return folder


def require_adapter(folder: Path, digest: str, where: str, hint: str = _CHOOSE) -> None:
    """Refuse a folder that is not the evaluated adapter.

    Args:
        folder: Folder on this machine.
        digest: Required SHA-256.
        where: Name of the folder in the error.
        hint: Hint in the error.

    Raises:
        AdapterError: If it has another digest; names the file that was changed last.
    """
    found = digest_of_folder(folder)
    if found == digest:
        return
    files = [p for p in folder.rglob("*") if p.is_file()]
    newest = max(files, key=lambda p: p.stat().st_mtime, default=None)
    last = f"; changed last: {newest.relative_to(folder)}" if newest else "; no file is left in it"
    raise AdapterError(
        f"the adapter is not the one that was evaluated: SHA-256 {found[:12]}…, the ledger says "
        f"{digest[:12]}…{last}",
        where,
        hint,
        code="adapter-changed",
    )
