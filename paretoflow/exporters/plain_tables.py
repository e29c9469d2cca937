"""Exports the front and the evaluations as two files of one kind: Parquet, JSON, CSV or Arrow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from paretoflow.core.views import SweepView
from paretoflow.exporters.layout import write_manifest, write_tables
from paretoflow.exporters.writing import write_whole
from paretoflow.spec.exporters import (
    ArrowExportSpec,
    CsvExportSpec,
    JsonExportSpec,
    ParquetExportSpec,
)


class PlainTablesExporter:
    """Writes two tables and the manifest, for other programs; no adapters and no picture."""

    def __init__(
        self, spec: ParquetExportSpec | JsonExportSpec | CsvExportSpec | ArrowExportSpec
    ) -> None:
        self.spec = spec

    def export(
        self, view: SweepView, out: Path, picture: Callable[[], bytes], *, force: bool
    ) -> None:
        """Write the tables of a view; see `Exporter`."""

        def fill(stage: Path) -> None:
            tables = write_tables(stage, view, f".{self.spec.type}", place=None)
            write_manifest(stage, view, self.spec.type, tables, place=None)

        write_whole(out, fill, force=force)
