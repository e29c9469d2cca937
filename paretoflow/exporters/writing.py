"""Decides how an export gets to its place: whole or not at all, and over nothing but an export."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paretoflow.core.errors import UserError
from paretoflow.exporters.manifest import FORMAT, MANIFEST


def write_whole(out: Path, fill: Callable[[Path], None], *, force: bool) -> None:
    """Fill a folder beside its destination, and rename it once it is whole.

    Args:
        out: Where to; it must not exist, unless it is an export and `force` is given.
        fill: Writes everything into the empty folder that it is given.
        force: Whether an earlier export is replaced.

    Raises:
        UserError: If something is there that may not be replaced.
    """
    out = Path(os.path.abspath(out))  # noqa: PTH100 - links on the way are the user's, but must not be resolved
    refuse_taken(out, force=force)
    out.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        stage.chmod(0o755)
        fill(stage)
        _swap(stage, out)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def refuse_taken(out: Path, *, force: bool) -> None:
    """Check that an export may be written to a place.

    Raises:
        UserError: If something is there and may not be replaced: only an earlier export ever is.
    """
    if not (out.exists() or out.is_symlink()):
        return
    if out.is_symlink() or not is_export(out):
        raise UserError(
            "exists, and is not an export of ParetoFlow", str(out), "choose a new folder with -o"
        )
    if not force:
        raise UserError(
            "an export is already there",
            str(out),
            "choose a new folder with -o, or replace it with --force",
        )


def is_export(folder: Path) -> bool:
    """Return whether a folder says that it is an export of ParetoFlow."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _swap(stage: Path, out: Path) -> None:
    """Put the whole folder in place; an earlier export goes only once the new one is there."""
    if not out.exists():
        stage.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
    out.rename(old / "export")
    try:
        stage.rename(out)
    except OSError:
        (old / "export").rename(out)
        raise
    finally:
        shutil.rmtree(old)
