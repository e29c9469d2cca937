"""Exports a front as a self-contained folder: reading it needs neither the sweep nor ParetoFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from paretoflow.core.views import SweepView
from paretoflow.exporters.adapters import copy_adapters, with_start
from paretoflow.exporters.card import card_text
from paretoflow.exporters.layout import write_manifest, write_spec, write_tables
from paretoflow.exporters.writing import write_text, write_whole
from paretoflow.spec.exporters import FolderExportSpec


class FolderExporter:
    """Writes tables, adapters, spec, card and plot."""

    def __init__(self, spec: FolderExportSpec) -> None:
        self.spec = spec

    def export(
        self, view: SweepView, out: Path, picture: Callable[[], bytes], *, force: bool
    ) -> None:
        """Write the folder of a view; see `Exporter`."""

        def fill(stage: Path) -> None:
            base = copy_adapters(view, stage / "adapters")
            base = with_start(view, stage, base, "adapters")
            tables = write_tables(stage, view, ".parquet", place="adapters/")
            (stage / "front.png").write_bytes(picture())
            write_spec(stage, view)
            write_text(stage / "README.md", card_text(view, base))
            write_manifest(stage, view, self.spec.type, tables, "adapters/", base)

        write_whole(out, fill, force=force)
