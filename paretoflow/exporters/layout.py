"""Common files of all exports: the tables, the spec, and the manifest, which is written last."""

from __future__ import annotations

from pathlib import Path

import yaml

from paretoflow.core.views import SweepView
from paretoflow.exporters.base_model import BaseModel, base_of
from paretoflow.exporters.manifest import MANIFEST, digests_in, manifest_of
from paretoflow.exporters.table_files import write_table
from paretoflow.exporters.tables import evaluations_table, front_table
from paretoflow.exporters.writing import write_json, write_text
from paretoflow.spec.public import public_spec


def write_tables(stage: Path, view: SweepView, suffix: str, place: str | None) -> dict[str, str]:
    """Write the tables of the front and the evaluations; return their file names.

    Args:
        stage: The export's folder.
        view: The sweep.
        suffix: Kind of file: `.parquet`, `.json`, `.csv` or `.arrow`.
        place: Path of the adapters in the export, a prefix of their names; None without adapters.
    """
    files = {name: f"{name}{suffix}" for name in ("front", "evaluations")}
    write_table(front_table(view.front, place), stage / files["front"])
    write_table(evaluations_table(view), stage / files["evaluations"])
    return files


def write_spec(stage: Path, view: SweepView) -> None:
    """Write the resolved spec, without private values, as JSON and as the YAML of a sweep."""
    spec = public_spec(view.spec)
    write_json(stage / "spec.json", spec)
    text = yaml.safe_dump(spec, sort_keys=False, allow_unicode=True)
    write_text(stage / "spec.yaml", text)


def write_manifest(
    stage: Path,
    view: SweepView,
    tag: str,
    tables: dict[str, str],
    place: str | None,
    base: BaseModel | None = None,
) -> None:
    """Write the manifest, with the digest of every file written so far; see `manifest_of`."""
    manifest = manifest_of(view, tag, tables, place, digests_in(stage))
    manifest["base"] = (base or base_of(view)).to_dict()
    write_json(stage / MANIFEST, manifest)
