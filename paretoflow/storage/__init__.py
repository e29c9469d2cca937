"""Storage of sweeps: a local or NFS folder, or a prefix in an object store.

`as_folder` returns the right `Folder` for a root; all other code of ParetoFlow reads and writes
through a `Folder`, whichever it is.
"""

from __future__ import annotations

from paretoflow.storage.folder import Folder, Root, as_folder, file_at
from paretoflow.storage.local import LocalFolder

__all__ = ["Folder", "LocalFolder", "Root", "as_folder", "file_at"]
