"""Writes an export completely or not at all; replaces nothing but an earlier export."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paretoflow.core.errors import UserError
from paretoflow.core.shown import shown
from paretoflow.exporters.manifest import FORMAT, MANIFEST
from paretoflow.exporters.plain_files import LARGEST_TEXT, content_of
from paretoflow.storage.output import output_errors, whole_folder


def write_whole(out: Path, fill: Callable[[Path], None], *, force: bool) -> None:
    """Fill a folder beside its destination, and rename it once it is complete.

    Args:
        out: Destination; it must not exist, unless it is an export and `force` is set.
        fill: Writes all files into the empty folder that it receives.
        force: Whether to replace an earlier export.

    Raises:
        UserError: If `out` exists and may not be replaced.
        StorageError: If the export cannot be written.
    """
    with output_errors(out):
        refuse_taken(out, force=force)
    with whole_folder(out) as stage:
        fill(stage)


def refuse_taken(out: Path, *, force: bool) -> None:
    """Check that an export may be written to a place.

    Raises:
        UserError: If the place exists and may not be replaced: only an earlier export may.
    """
    if not (out.exists() or out.is_symlink()):
        return
    if out.is_symlink() or not is_export(out):
        raise UserError(
            "exists, and is not an export of ParetoFlow",
            str(out),
            "choose a new folder with -o",
            code="usage-occupied",
        )
    if not force:
        raise UserError(
            "an export is already there",
            str(out),
            "choose a new folder with -o, or replace it with --force",
            code="usage-occupied",
        )


def is_export(folder: Path) -> bool:
    """Return whether a folder is an export of ParetoFlow, by its manifest."""
    try:
        manifest = json.loads(content_of(folder, MANIFEST, LARGEST_TEXT))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, without control characters for a terminal."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write text for people, without control characters for a terminal."""
    path.write_text(shown(text), encoding="utf-8")
