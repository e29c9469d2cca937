"""What an export says of itself, so that it can be read and checked without its sweep."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from paretoflow import __version__
from paretoflow.core.ids import digest_of
from paretoflow.core.views import SweepView, front_number

FORMAT = "paretoflow-front"
MANIFEST = "manifest.json"
FORMAT_VERSION = 2
"""Version 1 had neither `export` nor `tables`: it was always a folder with Parquet tables."""


def manifest_of(
    view: SweepView, tag: str, tables: dict[str, str], place: str | None, files: dict[str, str]
) -> dict[str, Any]:
    """Return the manifest of an export.

    Args:
        view: What was exported.
        tag: The exporter's.
        tables: Files of the tables `front` and `evaluations`.
        place: What comes before an adapter's name in its path; None where the
            export holds no adapters.
        files: SHA-256 of every other file, by path.
    """
    front = view.front
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "export": tag,
        "sweep": front.sweep,
        **front_number(front.snapshot, front.after),
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
                "adapter": f"{place}{p.adapter_name}" if p.path and place is not None else None,
                "adapter_digest": p.digest or None,
                "settings": dict(p.settings),
                "condition": p.condition and dict(p.condition),
            }
            for p in front.points
        ],
        "runs": {"finished": front.finished, "failed": front.failed, "pending": front.pending},
        "tables": tables,
        "versions": _versions(),
        "files": files,
    }


def digests_in(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by path with `/`."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): digest_of_file(p) for p in paths}


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, read piece by piece: a base model may not fit into memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("numpy", "pyarrow")}
    return {"paretoflow": __version__, "python": platform.python_version(), **libraries}
