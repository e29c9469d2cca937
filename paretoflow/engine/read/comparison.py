"""Reads the sides of `diff` and `compare`: a sweep, now or at a front snapshot, or an export."""

from __future__ import annotations

from pathlib import Path

from paretoflow.core.errors import UserError
from paretoflow.core.views import SweepView
from paretoflow.engine.read.sweep import read_sweep
from paretoflow.exporters.reading import exported_evaluations, read_manifest
from paretoflow.exporters.writing import is_export
from paretoflow.front.compared import Side


def read_side(text: str) -> Side:
    """Return the front that a user names.

    Args:
        text: Folder or URI of a sweep, with `@N` for a front snapshot (a negative N counts from the
            end), or the folder of an export. A folder whose own name ends in `@N` takes precedence.

    Raises:
        SweepNotFoundError: If neither a sweep nor an export is there.
        SnapshotNotFoundError: If there is no such snapshot.
        ExportError: If the export is damaged.
    """
    place, snapshot = _place(text)
    if "://" not in place and is_export(Path(place)):
        if snapshot is not None:
            raise UserError(
                f"{place} is an export, which holds one front: there is no @{snapshot} in it",
                text,
                "leave @ away, or name the sweep that it was exported from",
                code="usage-option",
            )
        return _side_of_export(Path(place), text)
    return _side_of_view(read_sweep(place, snapshot), text)


def read_whole_side(text: str) -> tuple[SweepView, Side]:
    """Return a sweep that a user names, with its runs and their costs, and its front.

    Args:
        text: Folder or URI of a sweep, with `@N` for a front snapshot.

    Raises:
        SweepNotFoundError: If no sweep is there.
        SnapshotNotFoundError: If there is no such snapshot.
        UserError: If the text names an export.
    """
    place, snapshot = _place(text)
    if "://" not in place and is_export(Path(place)):
        raise UserError(
            f"{place} is an export, which does not say what its runs cost",
            text,
            "name the sweep that it was exported from, or use `paretoflow diff`",
            code="usage-private",
        )
    view = read_sweep(place, snapshot)
    return view, _side_of_view(view, text)


def arm_of(text: str) -> list[str]:
    """Split text into sweeps at its commas; a folder with a comma in its name takes precedence.

    Raises:
        UserError: If a sweep is named twice, or a name is empty.
    """
    if "," not in text or Path(_place(text)[0]).exists():
        return [text]
    parts = [part.strip() for part in text.split(",")]
    if not all(parts) or len(set(parts)) != len(parts):
        wrong = "an empty name" if not all(parts) else "a sweep twice"
        raise UserError(
            f"got {wrong} in {text!r}",
            hint="join sweeps that differ by their seed",
            code="usage-option",
        )
    return parts


def _place(text: str) -> tuple[str, int | None]:
    head, at, tail = text.rpartition("@")
    if at and _is_number(tail) and not Path(text).exists():
        return head, int(tail)
    return text, None


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdecimal()


def _side_of_view(view: SweepView, label: str) -> Side:
    rows = {r.snapshot_id: r for r in view.evaluations}
    front = view.front
    points = tuple(rows.pop(p.snapshot_id) for p in front.points)
    name = front.snapshot, front.problem
    return Side(label, front.sweep, *name, points, front.after, tuple(rows.values()))


def _side_of_export(out: Path, label: str) -> Side:
    manifest = read_manifest(out)
    rows = {r.snapshot_id: r for r in exported_evaluations(manifest, out)}
    names = [p.snapshot_id for p in manifest.points if p.snapshot_id in rows]
    points = tuple(rows.pop(name) for name in names)
    name = manifest.snapshot, manifest.problem
    others = tuple(rows.values())
    return Side(label, manifest.sweep, *name, points, manifest.after, others)
