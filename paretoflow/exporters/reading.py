"""Reads an untrusted export: its manifest as values, its tables as rows."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from paretoflow.core.conditions import condition_json
from paretoflow.core.errors import ExportError
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.inputs import Inputs
from paretoflow.core.values import Direction, ObjectiveInfo, Problem
from paretoflow.exporters.manifest import FORMAT, FORMAT_VERSION, MANIFEST
from paretoflow.exporters.plain_files import LARGEST_TABLE, LARGEST_TEXT, content_of, opened
from paretoflow.exporters.table_files import EXPORT_AGAIN, Row, read_rows
from paretoflow.exporters.values import Manifest, ManifestConfirmation, ManifestPoint
from paretoflow.front.worth import RULES

_T = TypeVar("_T")
CHANGED = "was changed, its SHA-256 is another"


def read_manifest(out: Path) -> Manifest:
    """Return the manifest of an export.

    Raises:
        ExportError: If there is none, or it is damaged or of a newer version.
    """
    path = out / MANIFEST
    try:
        content = content_of(out, MANIFEST, LARGEST_TEXT)
    except (FileNotFoundError, NotADirectoryError):
        raise ExportError(
            f"no export of ParetoFlow is there: it has no {MANIFEST}",
            str(out),
            "give the folder that `paretoflow export` wrote",
            code="export-not-found",
        ) from None
    except OSError as error:
        raise _unreadable(error, path) from error
    try:
        plain = json.loads(content)
        if plain["format"] != FORMAT:
            raise ValueError(f"its format is {plain['format']!r}, not {FORMAT!r}")
        if int(plain["format_version"]) > FORMAT_VERSION:
            raise ExportError(
                f"was written by a newer version: format {plain['format_version']}, this one reads "
                f"up to {FORMAT_VERSION}",
                str(path),
                "upgrade paretoflow",
                code="export-newer",
            )
        return _manifest(plain, hashlib.sha256(content).hexdigest())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, ExportError):
            raise
        raise ExportError(
            f"is damaged: {type(error).__name__} {error}",
            str(path),
            EXPORT_AGAIN,
            code="export-damaged",
        ) from error


def exported_evaluations(manifest: Manifest, out: Path) -> list[Evaluation]:
    """Return the evaluations in the table, as far as checks, comparisons or confirmations need.

    Raises:
        ExportError: If the table is missing, changed or damaged, or has a score that is not finite.
    """
    names = manifest.problem.names
    return _each_row(manifest, out, "evaluations", lambda row: _evaluation(row, names))


def marked_as_front(manifest: Manifest, out: Path) -> list[bool]:
    """Return whether each row of the table of evaluations is marked as on the front.

    Raises:
        ExportError: If the table is missing, changed or damaged.
    """
    return _each_row(manifest, out, "evaluations", lambda row: bool(row["on_front"]))


def front_cells(manifest: Manifest, out: Path) -> list[ManifestPoint]:
    """Return the table of the front, as points to compare with those of the manifest.

    Raises:
        ExportError: If the table is missing, changed or damaged, or has a score that is not finite.
    """
    names = manifest.problem.names

    def point(row: Row) -> ManifestPoint:
        return ManifestPoint(
            snapshot_id=str(row["snapshot_id"]),
            run_id=str(row["run_id"]),
            scores=_numbers(row, "score_", names),
            adapter=row["adapter"],
            digest=str(row["digest"] or ""),
            condition=str(row.get("condition") or ""),
        )

    return _each_row(manifest, out, "front", point)


def _each_row(manifest: Manifest, out: Path, table: str, read: Callable[[Row], _T]) -> list[_T]:
    rows: list[_T] = []
    name = manifest.tables[table]
    path = out / name
    try:
        with opened(out, name, LARGEST_TABLE) as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(error, path) from error
    # also because Arrow's reader of Parquet ends the process on some damaged footers
    if digest != manifest.files.get(name):
        raise ExportError(CHANGED, str(path), EXPORT_AGAIN, code="export-damaged")
    for number, row in enumerate(read_rows(path)):
        try:
            rows.append(read(row))
        except (KeyError, TypeError, ValueError) as error:
            raise ExportError(
                f"row {number} is damaged: {type(error).__name__} {error}",
                str(path),
                EXPORT_AGAIN,
                code="export-damaged",
            ) from error
    return rows


def _unreadable(error: OSError, path: Path) -> ExportError:
    hint = "check its permissions and those of its folder"
    return ExportError(
        f"cannot be read: {error.strerror or error}", str(path), hint, code="export-damaged"
    )


def is_inside(name: str) -> bool:
    """Return whether a path of the manifest is inside the export's folder."""
    path = PurePosixPath(name)
    return bool(name) and "\\" not in name and not path.is_absolute() and ".." not in path.parts


def _manifest(plain: dict[str, Any], digest: str) -> Manifest:
    objectives = tuple(
        ObjectiveInfo(
            name=str(o["name"]),
            direction=Direction(o["direction"]),
            unit=str(o["unit"]),
            low=_number(o["range"][0]),
            high=_number(o["range"][1]),
            ref=_number(o["ref"]),
        )
        for o in plain["objectives"]
    )
    if not objectives:
        raise ValueError("it names no objective")
    tables = plain.get("tables") or {n: f"{n}.parquet" for n in ("front", "evaluations")}
    files = {str(name): str(value) for name, value in plain["files"].items()}
    for table in ("front", "evaluations"):
        if tables[table] not in files:
            raise ValueError(f"its table {tables[table]!r} is not among its files")
    outside = [name for name in files if not is_inside(name)]
    if outside:
        raise ValueError(f"it names files outside the export: {', '.join(map(repr, outside))}")
    low, high = plain["hypervolume_ci"]
    return Manifest(
        tag=str(plain.get("export", "folder")),
        sweep=str(plain["sweep"]),
        snapshot=_number_of_front(plain["snapshot"]),
        problem=Problem(objectives),
        ref_point=tuple(_number(v) for v in plain["ref_point"]),
        hypervolume=_number(plain["hypervolume"]),
        interval=(_number(low), _number(high)),
        points=tuple(_point(p, [o.name for o in objectives]) for p in plain["points"]),
        tables={name: str(file) for name, file in tables.items()},
        files=files,
        digest=digest,
        after=_number_of_front(plain.get("after_snapshot")),
        corrected=None if (value := plain.get("hypervolume_corrected")) is None else _number(value),
        selected="hypervolume_corrected" in plain,
        rule=_rule(plain.get("hypervolume_rule", 1)),
        inputs=Inputs.from_dict(plain.get("inputs")),
        confirmation=_confirmation(plain.get("confirmation"), [o.name for o in objectives]),
    )


def _rule(value: Any) -> int:
    if value not in RULES:
        raise ValueError(f"its rule of the hypervolume is {value!r}, not one of {list(RULES)}")
    return int(value)


def _confirmation(plain: dict[str, Any] | None, names: list[str]) -> ManifestConfirmation | None:
    if plain is None:
        return None
    low, high = plain["hypervolume_ci"]
    points = {str(p["snapshot_id"]): p for p in plain["points"]}
    return ManifestConfirmation(
        prompts=int(plain["prompts"]),
        reported=_number(plain["hypervolume_reported"]),
        hypervolume=_number(plain["hypervolume"]),
        interval=(_number(low), _number(high)),
        scores={k: tuple(_number(p["scores"][n]) for n in names) for k, p in points.items()},
        beaten_by={k: str(p["beaten_by"] or "") for k, p in points.items()},
    )


def _number_of_front(value: Any) -> int | None:
    return None if value is None else int(value)


def _point(plain: dict[str, Any], names: list[str]) -> ManifestPoint:
    adapter = plain["adapter"]
    if adapter is not None and not is_inside(adapter):
        raise ValueError(f"the adapter {adapter!r} lies outside the export")
    return ManifestPoint(
        snapshot_id=str(plain["snapshot_id"]),
        run_id=str(plain["run_id"]),
        scores=tuple(_number(plain["scores"][name]) for name in names),
        adapter=adapter,
        digest=str(plain["adapter_digest"] or ""),
        condition=condition_json(plain.get("condition")) or "",
        served=str(plain.get("served_digest") or ""),
        settings=tuple(sorted((plain.get("settings") or {}).items())),
    )


def _evaluation(row: Row, names: tuple[str, ...]) -> Evaluation:
    prompts = [row[f"prompt_scores_{name}"] for name in names]
    kept = np.array([], dtype=np.float64)
    if all(p is not None for p in prompts):
        kept = np.array([[_number(v) for v in p] for p in prompts], dtype=np.float64)
    return Evaluation(
        snapshot_id=str(row["snapshot_id"]),
        n=int(row["n"]),
        scores=np.array(_numbers(row, "score_", names)),
        stderr=np.array([_error(row[f"stderr_{name}"]) for name in names]),
        prompt_scores=kept,
        data=str(row.get("data") or ""),
        digest=str(row["digest"] or ""),
    )


def _numbers(row: Row, prefix: str, names: tuple[str, ...]) -> tuple[float, ...]:
    return tuple(_number(row[prefix + name]) for name in names)


def _number(value: Any) -> float:
    number = float(value)
    if isinstance(value, str) or not math.isfinite(number):
        raise ValueError(f"{value!r} is no finite number")
    return number


def _error(value: Any) -> float:
    return math.nan if value is None else float(value)
