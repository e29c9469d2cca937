"""Make a table whole again, as its driver: from its other data files, and from fragments.

Rows keep their numbers. What merging has replaced stays in the folder for a while, and a commit
whose log entry is lost has left its data file there: both give rows back exactly. What is in no
data file may be in fragments: those rows get the numbers that are missing. If a row is nowhere, the
table stays as it is and refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from paretoflow.core.errors import DamagedError
from paretoflow.ledger.data_files import MissingFileError, read_file, span_of
from paretoflow.ledger.delta_log import log_entry
from paretoflow.ledger.delta_reader import rows_named
from paretoflow.ledger.fenced_table import COMMIT_ATTEMPTS, FencedTable
from paretoflow.ledger.log_check import (
    LAST_CHECKPOINT,
    damaged_checkpoints,
    damaged_entries,
    last_version,
)
from paretoflow.storage import Folder
from paretoflow.storage.damaged import SUFFIX, set_aside

Spare = Callable[[set[str], list[int]], pa.Table | None]
"""From the ids that are there, and the numbers that are missing, to rows of these numbers; or None.
"""


def repair_log(folder: Folder) -> bool:
    """Put what is readable in place of what is not, so that the table opens; tell if that was done.

    Damaged checkpoints go: the entries hold everything. A damaged entry between the first and the
    last leaves an empty one, and a hole, which `make_whole` fills.
    """
    checkpoints = list(damaged_checkpoints(folder))
    for name in checkpoints:
        set_aside(folder, name)
    if checkpoints:
        set_aside(folder, LAST_CHECKPOINT)
    last = log_entry(last_version(folder))
    entries = [n for n in damaged_entries(folder) if n not in (log_entry(0), last)]
    for name in entries:
        if folder.exists(name):
            folder.write(f"{name}{SUFFIX}", folder.read(name))
        empty = {"commitInfo": {"operation": "REPAIR"}}
        folder.write(name, json.dumps(empty).encode())
    return bool(checkpoints or entries)


def make_whole(table: FencedTable, error: DamagedError, spare: Spare) -> str:
    """Gather every row of a table that its driver owns, and put them in place; say what was done.

    Args:
        table: Taken over by the caller.
        error: What was found to be wrong with it.
        spare: Gives rows that no data file holds.

    Raises:
        DamagedError: If a row is nowhere.
        FencedError: If a newer driver has taken over.
    """
    for _ in range(COMMIT_ATTEMPTS):
        rows, lost, source = _from_files(table)
        if lost:
            ids = rows["event_id"].to_pylist() if "event_id" in rows.column_names else []
            rest, source = spare(set(ids), lost), "fragments"
            if rest is None:
                raise DamagedError(
                    f"{error.what}; neither data files nor fragments hold {rows_named(lost)}",
                    error.where,
                    "restore the folder of the sweep, or this file, from a copy",
                    code=error.code,
                ) from error
            rows = pa.concat_tables([rows, rest.cast(rows.schema)])
        if table.rewrite(rows, max([table.position, *rows[table.order].to_pylist()])):
            return f"{error.where}: {error.what}; put right from {source}"
        table.refresh()
    raise table.too_busy()


def _from_files(table: FencedTable) -> tuple[pa.Table, list[int], str]:
    """Return the rows of all data files, each number once; those that none holds; the source."""
    names = table.names()
    rows, epochs = _readable(table, names)
    rows = _each_once(rows, table.order)
    there = rows[table.order].to_pylist()
    last = max([table.position, *there])
    start = 0 if table.order == "seq" else min(there, default=0)
    lost = sorted(set(range(start, last + 1)) - set(there))
    if not lost:
        return rows, [], "the data files that the log names"
    others = [n for n in table.folder.names() if n.endswith(".parquet") and "/" not in n]
    spare, _ = _readable(table, sorted(set(others) - set(names)))
    fits = _fitting(spare, table, set(lost), dict(zip(there, _epochs(rows), strict=True)) | epochs)
    rows = pa.concat_tables(
        [rows, _each_once(spare.filter(pa.array(fits, pa.bool_())), table.order)]
    )
    lost = sorted(set(lost) - set(rows[table.order].to_pylist()))
    return rows, lost, "data files that the log does not name"


def _fitting(
    spare: pa.Table, table: FencedTable, lost: set[int], epochs: dict[int, int]
) -> list[bool]:
    """Tell which rows may be lost ones: written by the driver whose turn it was.

    A commit that lost to a newer driver's left its data file too. The epochs of the rows around,
    or of the file that was named for a row, tell it from the one that counts; of two, the newer.

    Args:
        spare: Rows that the log does not name.
        table: Where they lie.
        lost: Numbers that are missing.
        epochs: Known epochs, by number; of a lost row only if a damaged file's name tells it.
    """
    known = sorted(set(epochs) - lost)
    best: dict[int, tuple[int, int]] = {}
    for at, (number, epoch) in enumerate(
        zip(spare[table.order].to_pylist(), _epochs(spare), strict=True)
    ):
        place = int(np.searchsorted(known, number))
        low = epochs[known[place - 1]] if place else -1
        high = epochs[known[place]] if place < len(known) else table.epoch
        fits = number in lost and low <= epoch <= high and epochs.get(number, epoch) == epoch
        if fits and (number not in best or best[number][0] < epoch):
            best[number] = epoch, at
    chosen = {at for _, at in best.values()}
    return [at in chosen for at in range(spare.num_rows)]


def _readable(table: FencedTable, names: Sequence[str]) -> tuple[pa.Table, dict[int, int]]:
    """Return the rows of whole files, and the epoch of each row that was in one not whole."""
    parts, epochs = [table.rows_schema.empty_table()], {}
    for name in names:
        try:
            parts.append(read_file(table.folder, name, table.rows_schema))
        except (DamagedError, MissingFileError):
            span = span_of(name)
            if span is not None and not span.merged:
                epochs.update(dict.fromkeys(range(span.first, span.last + 1), span.epoch))
    return pa.concat_tables(parts), epochs


def _each_once(rows: pa.Table, order: str) -> pa.Table:
    _, first = np.unique(rows[order].to_numpy(), return_index=True)
    return rows.take(pa.array(first))


def _epochs(rows: pa.Table) -> list[Any]:
    return rows["epoch"].to_pylist() if "epoch" in rows.column_names else [0] * rows.num_rows
