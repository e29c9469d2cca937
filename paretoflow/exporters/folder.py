"""A front as a folder that stands alone: it needs neither the sweep nor ParetoFlow to be read."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from paretoflow import __version__
from paretoflow.core.errors import ModelError, UserError
from paretoflow.core.ids import digest_of, digest_of_folder
from paretoflow.core.views import FrontPoint, SweepView
from paretoflow.exporters.card import card_text
from paretoflow.exporters.tables import evaluations_table, front_table
from paretoflow.spec.exporters import FolderExportSpec

FORMAT = "paretoflow-front"
MANIFEST = "manifest.json"
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class FolderExporter:
    """Writes a folder beside its destination, and renames it once it is whole."""

    def __init__(self, spec: FolderExportSpec) -> None:
        self.spec = spec

    def export(self, view: SweepView, out: Path, picture: bytes, *, force: bool) -> None:
        """Write the front of a view; see `Exporter`."""
        out = Path(os.path.abspath(out))  # noqa: PTH100 - links on the way are the user's, but must not be resolved
        refuse_taken(out, force=force)
        out.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            stage.chmod(0o755)
            _fill(stage, view, picture)
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
    if out.is_symlink() or not _is_export(out):
        raise UserError(
            "exists, and is not an export of ParetoFlow", str(out), "choose a new folder with -o"
        )
    if not force:
        raise UserError(
            "an export is already there",
            str(out),
            "choose a new folder with -o, or replace it with --force",
        )


def _is_export(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


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


def _fill(stage: Path, view: SweepView, picture: bytes) -> None:
    for point in view.front.points:
        if point.path:
            _copy_adapter(Path(view.root), point, stage / "adapters")
    pq.write_table(front_table(view.front), stage / "front.parquet")
    pq.write_table(evaluations_table(view), stage / "evaluations.parquet")
    (stage / "front.png").write_bytes(picture)
    _write_json(stage / "spec.json", view.spec)
    text = yaml.safe_dump(view.spec, sort_keys=False, allow_unicode=True)
    (stage / "spec.yaml").write_text(text, encoding="utf-8")
    (stage / "README.md").write_text(card_text(view), encoding="utf-8")
    _write_json(stage / MANIFEST, manifest_of(view, _digests(stage)))


def _copy_adapter(root: Path, point: FrontPoint, adapters: Path) -> None:
    """Copy an adapter folder, then check the copy, so that what was checked is what was copied.

    Raises:
        ModelError: If it is missing, outside the sweep, holds links, or is not what was evaluated.
    """
    source = root / point.path
    if not _SAFE_NAME.fullmatch(point.snapshot_id):
        raise ModelError(
            f"{point.snapshot_id!r} is not the name of a snapshot",
            str(root),
            "the ledger is damaged",
        )
    if not source.resolve().is_relative_to(root.resolve()):
        raise ModelError(f"the adapter of {point.snapshot_id} lies outside its sweep", str(source))
    if not source.is_dir():
        raise ModelError(
            f"the adapter of {point.snapshot_id} is gone",
            str(source),
            "restore the folder, or export another --snapshot",
        )
    if source.is_symlink() or any(p.is_symlink() for p in source.rglob("*")):
        raise ModelError(
            f"the adapter of {point.snapshot_id} holds links, which an export does not follow",
            str(source),
            "put the files themselves there",
        )
    copy = adapters / point.snapshot_id
    shutil.copytree(source, copy, symlinks=True)
    found = digest_of_folder(copy)
    if found != point.digest:
        raise ModelError(
            f"the adapter of {point.snapshot_id} is not the one that was evaluated: "
            f"SHA-256 {found[:12]}…, the ledger says {point.digest[:12]}…",
            str(source),
            "restore the folder, or export another --snapshot",
        )


def manifest_of(view: SweepView, files: dict[str, str]) -> dict[str, Any]:
    """Return the manifest: what the export is, and the SHA-256 of each of its files."""
    front = view.front
    return {
        "format": FORMAT,
        "format_version": 1,
        "sweep": front.sweep,
        "snapshot": front.snapshot,
        "spec_digest": digest_of(view.spec),
        "objectives": [
            {
                "name": o.name,
                "direction": o.direction.value,
                "unit": o.unit,
                "range": [o.low, o.high],
                "ref": o.ref,
            }
            for o in front.problem.objectives
        ],
        "ref_point": [o.ref for o in front.problem.objectives],
        "hypervolume": front.hypervolume,
        "hypervolume_ci": list(front.hypervolume_ci),
        "points": [
            {
                "snapshot_id": p.snapshot_id,
                "run_id": p.run_id,
                "scores": dict(zip(front.problem.names, p.scores, strict=True)),
                "adapter": f"adapters/{p.snapshot_id}" if p.path else None,
                "adapter_digest": p.digest or None,
            }
            for p in front.points
        ],
        "runs": {"finished": front.finished, "failed": front.failed, "pending": front.pending},
        "versions": _versions(),
        "files": files,
    }


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("numpy", "pyarrow")}
    return {"paretoflow": __version__, "python": platform.python_version(), **libraries}


def _digests(folder: Path) -> dict[str, str]:
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
