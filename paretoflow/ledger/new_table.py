"""Creates an empty Delta table, or finds one."""

from __future__ import annotations

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError

from paretoflow.ledger.delta_log import delta_options, log_entry, storage_errors, sync_commit
from paretoflow.ledger.tables import SCHEMA_VERSION
from paretoflow.storage import Folder
from paretoflow.storage.durable import make_folder

VERSION_KEY = "paretoflow.schemaVersion"
CONFIGURATION = {
    "delta.checkpointInterval": "100",
    # never cleaned: a fenced driver could put its own commit in place of a removed log entry
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    # the next merge removes merged files: checkpoints need not list them for a week
    "delta.deletedFileRetentionDuration": "interval 1 hours",
    VERSION_KEY: str(SCHEMA_VERSION),
}


def table_exists(folder: Folder) -> bool:
    """Return whether a folder has a Delta table; its first log entry is never cleaned."""
    return folder.exists(log_entry(0))


def create_table(folder: Folder, schema: pa.Schema, *, fsync: bool) -> None:
    """Create an empty table; do nothing if another process was faster.

    Raises:
        LedgerError: If storage fails.
        StorageError: If storage refuses access.
    """
    with storage_errors(folder):
        if folder.local is not None:
            make_folder(folder.local)
        try:
            DeltaTable.create(
                folder.uri,
                schema,
                configuration=CONFIGURATION,
                storage_options=delta_options(folder),
                raise_if_key_not_exists=False,
                # the second of two processes must not add a version to the table of the first
                commit_properties=CommitProperties(max_commit_retries=0),
            )
        except DeltaError:
            if not table_exists(folder):
                raise
        if fsync and folder.local is not None:
            sync_commit(folder.local, 0)
