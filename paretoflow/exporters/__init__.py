"""Exporters write a front to a place outside its sweep.

To add an exporter:

1. add its spec to the union in `spec/exporters.py` with `type: Literal["<tag>"]` and its options;
2. write `exporters/<tag>.py` with a class that is built from its spec and implements `Exporter`;
3. add its line to `TAGS`;
4. add an example to `tests/contracts/test_exporters.py`, which tests the contract.

An exporter reads a `SweepView` and the adapters below its root; it never writes to the sweep. An
export holds the tables and the manifest of `layout`, so that `verify` can check it.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from paretoflow.core.errors import PluginError
from paretoflow.core.views import SweepView
from paretoflow.spec.exporters import ExporterSpec

__all__ = ["TAGS", "Exporter", "build_exporter", "exporter_of"]

TAGS: dict[str, str] = {
    "folder": "paretoflow.exporters.folder:FolderExporter",
    "parquet": "paretoflow.exporters.plain_tables:PlainTablesExporter",
    "json": "paretoflow.exporters.plain_tables:PlainTablesExporter",
    "csv": "paretoflow.exporters.plain_tables:PlainTablesExporter",
    "arrow": "paretoflow.exporters.plain_tables:PlainTablesExporter",
    "hub-folder": "paretoflow.exporters.hub_folder:HubFolderExporter",
    "vllm": "paretoflow.exporters.vllm:VllmExporter",
}
"""Exporters by tag, as `module:Class`, imported only when used."""


class Exporter(Protocol):
    """Writes a front to a place outside its sweep, completely or not at all."""

    def export(
        self, view: SweepView, out: Path, picture: Callable[[], bytes], *, force: bool
    ) -> None:
        """Write the front of a view, with every adapter checked against the ledger's digest.

        Args:
            view: The sweep at the front snapshot to export.
            out: Folder to write; it must not exist yet.
            picture: Draws the front as PNG; called only by an exporter that includes it.
            force: Whether to replace an earlier export at `out`; anything else there is refused.

        Raises:
            UserError: If `out` exists.
            ModelError: If an adapter is missing, differs from the evaluated one, or holds links.
        """
        ...


def build_exporter(spec: ExporterSpec) -> Exporter:
    """Return the exporter that a spec names.

    Raises:
        PluginError: If no exporter has its tag.
    """
    module, name = TAGS[_known(spec.type)].split(":")
    exporter: Exporter = getattr(importlib.import_module(module), name)(spec)
    return exporter


def exporter_of(tag: str) -> Exporter:
    """Return the exporter of a tag, with all options at their defaults.

    Raises:
        PluginError: If no exporter has that tag.
    """
    from pydantic import TypeAdapter

    spec: ExporterSpec = TypeAdapter(ExporterSpec).validate_python({"type": _known(tag)})
    return build_exporter(spec)


def _known(tag: str) -> str:
    if tag not in TAGS:
        near = difflib.get_close_matches(tag, TAGS, 1)
        raise PluginError(
            f"no exporter is called {tag!r}; there are {', '.join(TAGS)}",
            hint=f"did you mean {near[0]}?" if near else "",
            code="plugin-unknown",
        )
    return tag
