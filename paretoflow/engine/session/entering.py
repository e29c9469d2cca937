"""Enter a sweep's folder for a submission that may yet fail, and leave it as it was if it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paretoflow.core.errors import StorageError
from paretoflow.engine.read.sweep import SPEC_FILE
from paretoflow.engine.session.run import enter_folder
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Folder


@contextmanager
def entering(spec: SweepSpec, folder: Folder) -> Iterator[None]:
    """Write the spec of a sweep for a cluster; where the block fails, put back what was there.

    Raises:
        SpecError: If another sweep of that name has begun there.
        StorageError: If storage refuses.
    """
    before = folder.read(SPEC_FILE) if folder.exists(SPEC_FILE) else None
    made = _missing(folder)
    try:
        enter_folder(spec, folder, elsewhere=True)
        yield
    except BaseException:
        with suppress(StorageError):  # what failed before is to be told
            if before is None:
                folder.delete(SPEC_FILE)
            elif folder.read(SPEC_FILE) != before:
                folder.write(SPEC_FILE, before)
        for path in made:
            with suppress(OSError):  # somebody else has put something there
                path.rmdir()
        raise


def _missing(folder: Folder) -> list[Path]:
    """Return the folders that entering makes, the lowest first."""
    if folder.local is None:
        return []
    return [path for path in (folder.local, *folder.local.parents) if not path.exists()]
