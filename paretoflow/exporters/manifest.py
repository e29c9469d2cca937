"""The manifest of an export, which makes it readable and verifiable without its sweep."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from paretoflow import __version__
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.ids import digest_of
from paretoflow.core.views import SweepView, front_number
from paretoflow.exporters.plain_files import folder_digest
from paretoflow.front.worth import RULE

FORMAT = "paretoflow-front"
MANIFEST = "manifest.json"
FORMAT_VERSION = 3
"""Version 1 had neither `export` nor `tables`: it was always a folder with Parquet tables. Version
3 holds adapters that are written in another way than the evaluated ones; an export without such
adapters has version 2."""


def manifest_of(
    view: SweepView, tag: str, tables: dict[str, str], place: str | None, files: dict[str, str]
) -> dict[str, Any]:
    """Return the manifest of an export.

    Args:
        view: The sweep.
        tag: Tag of the exporter.
        tables: Files of the tables `front` and `evaluations`.
        place: Path of the adapters in the export, a prefix of their names; None without adapters.
        files: SHA-256 of every other file, by path.
    """
    front = view.front
    points = [_point(p, front.problem.names, place, files) for p in front.points]
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION if any("served_digest" in p for p in points) else 2,
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
        "hypervolume_corrected": front.hypervolume_corrected,
        "hypervolume_ci": list(front.hypervolume_ci),
        "hypervolume_rule": RULE,
        "points": points,
        "runs": {"finished": front.finished, "failed": front.failed, "pending": front.pending},
        "tables": tables,
        **_inputs(view),
        **_changes(view),
        **_confirmed(view),
        "versions": _versions(),
        "files": files,
    }


def _point(
    point: FrontPoint, names: tuple[str, ...], place: str | None, files: dict[str, str]
) -> dict[str, Any]:
    adapter = f"{place}{point.adapter_name}" if point.path and place is not None else None
    served = "" if adapter is None else folder_digest(files, adapter)
    return {
        "snapshot_id": point.snapshot_id,
        "run_id": point.run_id,
        "scores": dict(zip(names, point.scores, strict=True)),
        "adapter": adapter,
        "adapter_digest": point.digest or None,
        # the adapter in this export: the same deltas, written for other machines or programs
        **({"served_digest": served} if served not in ("", point.digest) else {}),
        "settings": dict(point.settings),
        "condition": point.condition and dict(point.condition),
        **({"doubt": round(point.doubt, 4), "rival": point.rival} if point.doubtful else {}),
    }


def _inputs(view: SweepView) -> dict[str, Any]:
    """Return the files and libraries that scores depend on; empty if none were recorded.

    Prompts and settings are left out, since they may be private.
    """
    noted = view.front.problem.inputs
    if noted is None:
        return {}
    plain = noted.to_dict()
    return {"inputs": {key: plain[key] for key in ("files", "versions")}}


def _changes(view: SweepView) -> dict[str, Any]:
    """Return the changes of the inputs during the sweep; empty without changes."""
    return {"changes": [change.to_dict() for change in view.changes]} if view.changes else {}


def _confirmed(view: SweepView) -> dict[str, Any]:
    """Return the results of the points on fresh prompts; empty if none were confirmed."""
    if view.confirmation is None:
        return {}
    return {"confirmation": view.confirmation.to_dict()}


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
