"""A driver in a process of its own: appends until killed or fenced, and prints what is confirmed.

Arguments: folder of the sweep, a prefix for its event ids.
"""

from __future__ import annotations

import sys
from pathlib import Path

from paretoflow.core.errors import FencedError
from paretoflow.ledger import open_ledger
from tests.unit.ledger.rows_for_tests import evaluated


def main(folder: Path, prefix: str) -> None:
    try:
        ledger = open_ledger(folder, writer=True, create=True)
    except FencedError:
        sys.stdout.write("fenced\n")
        return
    sys.stdout.write(f"epoch {ledger.epoch}\n")
    for index in range(100_000):
        try:
            (added,) = ledger.append([evaluated(index, event_id=f"{prefix}:{index}")])
        except FencedError:
            sys.stdout.write("fenced\n")
            return
        sys.stdout.write(f"{added.event_id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
