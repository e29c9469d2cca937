"""Where sweeps live: a local or NFS folder, or a prefix in an object store.

`as_folder` decides from a root which of the two it is; all else of ParetoFlow reads and writes
through a `Folder` and does not ask.
"""

from __future__ import annotations

from paretoflow.storage.folder import Folder, Root, as_folder, file_at
from paretoflow.storage.local import LocalFolder

__all__ = ["Folder", "LocalFolder", "Root", "as_folder", "file_at"]
