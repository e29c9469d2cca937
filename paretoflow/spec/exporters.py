"""What a front can be exported as."""

from __future__ import annotations

from typing import Literal

from paretoflow.spec.base import Spec


class FolderExportSpec(Spec):
    """A folder that stands alone: tables, manifest, PEFT adapters, spec, card and plot."""

    type: Literal["folder"] = "folder"


ExporterSpec = FolderExportSpec
"""The union of all exporters; it becomes one, by tag, with its second member."""
