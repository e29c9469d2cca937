"""Checks, before a sweep is created, that two drivers cannot both write to a storage."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from paretoflow.core.errors import StorageError
from paretoflow.ledger.delta_log import delta_options, storage_errors
from paretoflow.storage import Folder
from paretoflow.storage.durable import make_folder, require_hard_links
from paretoflow.storage.patience import disk_error

ROUNDS = 6
"""Number of races in the check. A store that overwrites let both racers win in 35 of 40 races on
one machine, so that six races miss it about once in 300,000 checks.
"""

_SCHEMA = pa.schema([pa.field("x", pa.int64())])


def require_put_if_absent(folder: Folder) -> None:
    """Refuse a storage that lets two writers put the same object, so that one row would be lost.

    On a disk, the check is for hard links. In an object store, two handles race for the first
    version of a table, as two drivers might: if both land, one has overwritten the other.

    Raises:
        StorageError: If storage does not support put-if-absent, or refuses writes.
    """
    local = folder.local
    if local is not None:
        try:
            make_folder(local)
            require_hard_links(local)
        except StorageError:
            raise
        except OSError as error:
            raise disk_error(error, str(local)) from error
        return
    probe = folder.below(f"probe-{uuid.uuid4().hex[:12]}")
    try:
        if any(_both_land(probe.below(str(number))) for number in range(ROUNDS)):
            raise StorageError(
                "this storage cannot put if absent: two writers of one object were both told that "
                "they were first (it ignores If-None-Match)",
                folder.uri,
                "use a store with conditional writes, such as Amazon S3, MinIO, Ceph or R2, or a "
                "local folder",
                code="storage-no-put-if-absent",
            )
    finally:
        folder.delete(probe.uri.rpartition("/")[2])


def _both_land(folder: Folder) -> bool:
    start = Barrier(2)
    with ThreadPoolExecutor(2) as racers:
        return all(racers.map(lambda _: _lands(folder, start), range(2)))


def _lands(folder: Folder, start: Barrier) -> bool:
    start.wait()
    with storage_errors(folder):
        try:
            DeltaTable.create(
                folder.uri,
                _SCHEMA,
                storage_options=delta_options(folder),
                # the loser must not continue with the next version
                commit_properties=CommitProperties(max_commit_retries=0),
            )
        except DeltaError as error:
            if isinstance(error, CommitFailedError) or "already exists" in str(error):
                return False
            raise
    return True
