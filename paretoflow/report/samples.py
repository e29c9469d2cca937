"""Answers to show side by side, from `answers/<checkpoint>.arrow` of a sweep."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from paretoflow.core.errors import DamagedError
from paretoflow.core.values import BASE_RUN_ID
from paretoflow.core.views import SweepView
from paretoflow.front.selection import landmarks
from paretoflow.storage import Folder, Root, as_folder

Answer = Mapping[str, Any]
"""One row: prompt_id, prompt, reference, completion, and a number for each objective by name."""

AnswerReader = Callable[[str], list[Answer]]
"""Maps a checkpoint's name to its answers; an empty list when none were kept."""

_DAMAGED = "restore it from a copy, or delete it: a report goes without these answers then"
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def answers_in(root: Root) -> AnswerReader:
    """Return a reader of the answers that a sweep's evaluations wrote below its root."""
    folder = as_folder(root)

    def read(snapshot_id: str) -> list[Answer]:
        if not SAFE_NAME.fullmatch(snapshot_id):
            return []
        try:
            return read_answers(folder, f"answers/{snapshot_id}.arrow")
        except FileNotFoundError:
            return []

    return read


def read_answers(folder: Folder, name: str) -> list[Answer]:
    """Read one Arrow IPC file of answers.

    Raises:
        FileNotFoundError: If the file does not exist.
        DamagedError: If the file is damaged.
    """
    from paretoflow.storage.sealed import unsealed_table

    where = f"{folder}/{name}"
    table = unsealed_table(folder.read(name), where, _DAMAGED)
    if "prompt_id" not in table.column_names:
        raise DamagedError("the file holds no answers", where, _DAMAGED)
    rows: list[Answer] = table.to_pylist()
    return rows


def shown_points(view: SweepView) -> list[tuple[str, str]]:
    """Return (heading, checkpoint) of the base and of the front's extremes and middle."""
    numbers = {p.snapshot_id: i for i, p in enumerate(view.front.points, start=1)}
    shown = [("base model", e.snapshot_id) for e in view.evaluations if e.run_id == BASE_RUN_ID][:1]
    for point, best in landmarks(view.front):
        merit = f"best {' and '.join(best)}" if best else "the middle"
        if point.run_id != BASE_RUN_ID:
            shown.append((f"point {numbers[point.snapshot_id]}, {merit}", point.snapshot_id))
    return shown


def side_by_side(
    columns: Mapping[str, list[Answer]], count: int
) -> list[tuple[Answer, list[Answer | None]]]:
    """Return prompts that every column answers, each with its answers in the order of the columns.

    Prompts are spread evenly over the common ones, not only the first rows of a file. Columns
    without any answer stay in place as None.
    """
    by_prompt = {
        name: {str(row["prompt_id"]): row for row in rows} for name, rows in columns.items()
    }
    kept = [rows for rows in by_prompt.values() if rows]
    if not kept:
        return []
    common = [key for key in kept[0] if all(key in rows for rows in kept)]
    picks = (
        [common[i * len(common) // count] for i in range(count)] if len(common) > count else common
    )
    return [(kept[0][key], [rows.get(key) for rows in by_prompt.values()]) for key in picks]
