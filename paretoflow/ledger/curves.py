"""Training curves: the numbers that a trainer logged after each step, beside the fragments.

An attempt's curve is in sealed Arrow files at `<root>/curves/<run_id>/a<attempt>/`, a row for each
step and a column for each logged name. A file holds at most `CHUNK_STEPS` steps; the last one is
written again until it is full. A column of a name is null at the steps that did not log it. Values
that are not finite are kept as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pyarrow as pa

from paretoflow.core.curves import KEYS, CurvePoint
from paretoflow.core.errors import DamagedError
from paretoflow.storage import Folder, Root, as_folder
from paretoflow.storage.sealed import sealed_bytes, unsealed_table

CURVES = "curves"
CHUNK_STEPS = 1000
"""Most steps in one file."""

_TYPES = (pa.string(), pa.int64(), pa.int64(), pa.float64())
_SCHEMA = pa.schema(list(zip(KEYS, _TYPES, strict=True)))
_NAME = re.compile(rf"{CURVES}/(\w[\w.-]*)/a(\d+)/(\d+)\.arrow")
_HINT = "restore it from a copy, or delete it: the other curves can be read without it"


def write_chunk(
    root: Root, attempt: tuple[str, int], number: int, points: Sequence[CurvePoint]
) -> None:
    """Write one file of an attempt's curve, or replace it.

    Args:
        root: Folder of the sweep.
        attempt: Run and number of the attempt.
        number: Number of the file among those of the attempt, from 0.
        points: Its steps, at least one.

    Raises:
        ValueError: If a logged name is that of a key.
        StorageError: If storage refuses access.
    """
    names = list(dict.fromkeys(name for point in points for name in point.values))
    if taken := sorted(set(names) & set(KEYS)):
        raise ValueError(f"a curve cannot hold a value called {taken[0]!r}")
    run_id, turn = attempt
    columns = {
        "run_id": [run_id] * len(points),
        "attempt": [turn] * len(points),
        "step": [point.step for point in points],
        "time_s": [point.time_s for point in points],
    }
    columns |= {name: [point.values.get(name) for point in points] for name in names}
    schema = pa.schema([*_SCHEMA, *(pa.field(name, pa.float64()) for name in names)])
    content = sealed_bytes(pa.table(columns, schema))
    as_folder(root).write(f"{CURVES}/{run_id}/a{turn}/{number:04d}.arrow", content)


def read_curves(
    root: Root, run_id: str = "", damaged: Callable[[DamagedError], object] | None = None
) -> pa.Table:
    """Return the curves of a sweep, or of one run, ordered by run, attempt and step.

    Columns: run_id, attempt, step, time_s, then every logged name, null where it was not logged.
    A sweep of an earlier version has no curves: the table has no rows.

    Args:
        root: Folder of the sweep.
        run_id: Only the curves of this run; empty for all.
        damaged: Called for each damaged file, which is then left out.

    Raises:
        DamagedError: If a file is damaged and `damaged` is None.
        StorageError: If storage refuses access.
    """
    folder = as_folder(root)
    tables = [_SCHEMA.empty_table()]
    for name in chunk_names(folder, run_id):
        try:
            tables.append(read_chunk(folder, name))
        except DamagedError as error:
            if damaged is None:
                raise
            damaged(error)
    return pa.concat_tables(tables, promote_options="default").combine_chunks()


def chunk_names(folder: Folder, run_id: str = "") -> list[str]:
    """Return the names of the files of curves, ordered by run, attempt and number."""
    found = [
        (match[1], int(match[2]), int(match[3]), name)
        for name in folder.names(f"{CURVES}/{run_id}" if run_id else CURVES)
        if (match := _NAME.fullmatch(name))
    ]
    return [name for *_, name in sorted(found)]


def attempt_of(name: str) -> tuple[str, int]:
    """Return run and number of the attempt that a file of curves belongs to."""
    match = _NAME.fullmatch(name)
    assert match is not None
    return match[1], int(match[2])


def read_chunk(folder: Folder, name: str) -> pa.Table:
    """Return one file of a curve.

    Raises:
        DamagedError: If it is damaged, or was deleted meanwhile.
    """
    where = f"{folder}/{name}"
    try:
        content = folder.read(name)
    except FileNotFoundError as error:
        raise DamagedError("the curve is gone", where, _HINT, code="damaged-gone") from error
    table = unsealed_table(content, where, _HINT)
    keys = pa.schema(list(table.schema)[: len(KEYS)])
    values = list(table.schema)[len(KEYS) :]
    alone = len(set(table.column_names)) == len(table.column_names)
    if keys != _SCHEMA or any(f.type != pa.float64() for f in values) or not alone:
        raise DamagedError("the file holds no curve", where, _HINT)
    if {*zip(*(table[k].to_pylist() for k in KEYS[:2]), strict=True)} - {attempt_of(name)}:
        raise DamagedError("the curve is another attempt's", where, _HINT)
    return table
