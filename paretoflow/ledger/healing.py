"""Repairs a table, as its driver, from its other data files and from fragments.

Rows keep their numbers. Merged files stay in the folder for a while, and a commit with a lost log
entry has left its data file there: both restore rows exactly. Rows in no data file may be in
fragments; they get the missing numbers. If a row cannot be found, the table does not change and
stays refused.
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
"""Maps the stored ids and the missing numbers to rows with these numbers, or to None."""


def repair_log(folder: Folder) -> bool:
    """Repair a log so that the table opens; return whether anything was changed.

    Damaged checkpoints are set aside: the entries hold everything. An empty entry replaces a
    damaged one between the first and the last; `make_whole` then restores its rows.
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
    """Restore every row of a table, and return a sentence on the repair.

    Args:
        table: Taken over by the caller.
        error: The damage that was found.
        spare: Returns rows that are in no data file.

    Raises:
        DamagedError: If a row cannot be found.
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
    """Return the rows of all data files, each number once; the missing numbers; the source."""
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
    """Return whether each row may be a lost one: written by the driver of that time.

    A commit that lost to a newer driver's commit left its data file too. The epochs of the rows
    around, or of the file that was named for a row, distinguish it from the valid one; if two
    remain, the newer is valid.

    Args:
        spare: Rows that the log does not name.
        table: The damaged table.
        lost: Missing numbers.
        epochs: Known epochs, by number; of a lost row only if a damaged file's name gives it.
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
    """Return the rows of intact files, and the epoch of each row of a damaged file."""
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
