"""Export formats of a front."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paretoflow.spec.base import Spec


class FolderExportSpec(Spec):
    """A self-contained folder: tables, manifest, PEFT adapters, spec, card and plot."""

    type: Literal["folder"] = "folder"


class ParquetExportSpec(Spec):
    """The front and the evaluations as two Parquet files, without adapters."""

    type: Literal["parquet"] = "parquet"


class JsonExportSpec(Spec):
    """The front and the evaluations as two JSON files, a list of objects each."""

    type: Literal["json"] = "json"


class CsvExportSpec(Spec):
    """The front and the evaluations as two CSV files; scores of every prompt as JSON in a cell."""

    type: Literal["csv"] = "csv"


class ArrowExportSpec(Spec):
    """The front and the evaluations as two Arrow IPC files, without adapters."""

    type: Literal["arrow"] = "arrow"


class HubFolderExportSpec(Spec):
    """A folder ready to upload to the Hugging Face hub: adapters, model card, tables and plot."""

    type: Literal["hub-folder"] = "hub-folder"


class VllmExportSpec(Spec):
    """Adapters for vLLM, with the command that serves them and a preference-to-adapter table."""

    type: Literal["vllm"] = "vllm"


ExporterSpec = Annotated[
    FolderExportSpec
    | ParquetExportSpec
    | JsonExportSpec
    | CsvExportSpec
    | ArrowExportSpec
    | HubFolderExportSpec
    | VllmExportSpec,
    Field(discriminator="type"),
]
"""The union of all exporters, by tag."""
