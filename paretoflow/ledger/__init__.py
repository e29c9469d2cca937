"""The ledger: the only persistent record of a sweep.

`tables` defines the rows, `ledger` the contract of a ledger, `rows` converts events to Arrow and
back, `fragments` stores the results that worker groups finish while no driver is connected.

To add a store:

1. write `ledger/<name>.py` with a class that implements `Ledger`;
2. add its line to `STORES`;
3. add a function that opens it to `OPENERS` in `tests/contracts/test_stores.py`, which tests the
   contract;
4. if a sweep should be able to choose it, let `open_ledger` recognise it by the root.
"""

from __future__ import annotations

from paretoflow.ledger.ledger import Ledger
from paretoflow.storage import Root

__all__ = ["STORES", "open_ledger"]

STORES: dict[str, str] = {
    "delta": "paretoflow.ledger.delta:DeltaLedger",
    "memory": "paretoflow.ledger.memory:MemoryLedger",
}
"""Stores by name, as `module:Class`, imported only when used."""


def open_ledger(root: Root, *, writer: bool, create: bool = False, fsync: bool = True) -> Ledger:
    """Open the ledger of a sweep.

    Args:
        root: Folder of the sweep.
        writer: Whether to take over as its driver; this fences the previous driver.
        create: Whether a writer creates the ledger if there is none.
        fsync: Whether an append returns only after it is flushed to the disk.

    Raises:
        SweepNotFoundError: If there is no ledger and `create` is not set.
        FencedError: If another driver took over meanwhile.
        LedgerError: If storage failed.
        StorageError: If storage refuses access, or does not support put-if-absent.
        SchemaVersionError: If a newer version of ParetoFlow wrote it.
    """
    # importing Delta takes a while, and `check` never needs it
    from paretoflow.ledger.delta import DeltaLedger

    return DeltaLedger(root, writer=writer, create=create, fsync=fsync)
