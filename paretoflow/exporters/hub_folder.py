"""Exports a front as a folder for upload to the Hugging Face hub; nothing is uploaded here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from paretoflow.core.views import SweepView
from paretoflow.exporters.adapters import copy_adapters, with_start
from paretoflow.exporters.hub_card import hub_card
from paretoflow.exporters.layout import write_manifest, write_spec, write_tables
from paretoflow.exporters.writing import write_text, write_whole
from paretoflow.spec.exporters import HubFolderExportSpec


class HubFolderExporter:
    """Writes one subfolder with an ordinary PEFT adapter for each point, and a model card."""

    def __init__(self, spec: HubFolderExportSpec) -> None:
        self.spec = spec

    def export(
        self, view: SweepView, out: Path, picture: Callable[[], bytes], *, force: bool
    ) -> None:
        """Write the folder of a view; see `Exporter`."""

        def fill(stage: Path) -> None:
            base = with_start(view, stage, copy_adapters(view, stage), "")
            tables = write_tables(stage, view, ".parquet", place="")
            (stage / "front.png").write_bytes(picture())
            write_spec(stage, view)
            write_text(stage / "README.md", hub_card(view, base))
            write_manifest(stage, view, self.spec.type, tables, "", base)

        write_whole(out, fill, force=force)
