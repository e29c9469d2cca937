"""The only memory of a sweep.

`tables` says what a row is, `ledger` what a ledger promises, `rows` turns events into Arrow and
back, `fragments` holds what worker groups finished while no driver listened.

To add a store:

1. write `ledger/<name>.py` with a class that keeps every promise of `Ledger`;
2. add its line to `STORES`;
3. add how to open it to `OPENERS` in `tests/contracts/test_stores.py`, which proves the promises;
4. if a sweep should be able to choose it, let `open_ledger` tell from the root that it is meant.
"""

from __future__ import annotations

from paretoflow.ledger.ledger import Ledger
from paretoflow.storage import Root

__all__ = ["STORES", "open_ledger"]

STORES: dict[str, str] = {
    "delta": "paretoflow.ledger.delta:DeltaLedger",
    "memory": "paretoflow.ledger.memory:MemoryLedger",
}
"""Every store, as `module:Class`, imported only when used."""


def open_ledger(root: Root, *, writer: bool, create: bool = False, fsync: bool = True) -> Ledger:
    """Open the ledger of a sweep.

    Args:
        root: Where the sweep lives.
        writer: Whether to take over as its driver, which fences the driver before.
        create: Whether a writer makes the ledger where there is none.
        fsync: Whether an append returns only after the disk has it.

    Raises:
        SweepNotFoundError: If there is no ledger and none is to be made.
        FencedError: If yet another driver took over meanwhile.
        LedgerError: If storage failed.
        StorageError: If storage refuses, or cannot put if absent.
        SchemaVersionError: If a newer version of ParetoFlow wrote it.
    """
    # importing Delta takes a while, and `check` never needs it
    from paretoflow.ledger.delta import DeltaLedger

    return DeltaLedger(root, writer=writer, create=create, fsync=fsync)
