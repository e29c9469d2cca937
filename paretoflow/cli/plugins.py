"""`paretoflow plugins`."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from paretoflow import exporters
from paretoflow.cli.options import Format, FormatOption, plain_console
from paretoflow.ledger import STORES
from paretoflow.methods.catalogue import CAPABILITIES
from paretoflow.spec.shape import family

_KEYS = {
    "objectives": "objectives",
    "methods": "method",
    "proposers": "proposer",
    "data": "data",
    "models": "model",
    "trackers": "tracking",
}
"""Families by the key of a sweep YAML that takes them."""


def plugins(format: FormatOption = Format.TEXT) -> None:
    """List every plug-in and what it does.

    Objectives, data, models, methods and proposers are named by `type` in a sweep YAML.
    """
    found = registry()
    if format is Format.JSON:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    console = plain_console()
    for name, entries in found.items():
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="bold", no_wrap=True, min_width=14)
        table.add_column()
        for entry in entries:
            table.add_row(entry["type"], escape(entry["summary"]))
            if "capabilities" in entry:
                table.add_row("", f"[dim]{_capable(**entry['capabilities'])}[/dim]")
        console.print(f"[bold underline]{name}[/bold underline]")
        console.print(table, "")


def registry() -> dict[str, list[dict[str, Any]]]:
    """Return every family's plug-ins: type, summary and, for a method, capabilities."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, key in _KEYS.items():
        found[name] = [{"type": t, "summary": _summary(m.__doc__)} for t, m in family(key).items()]
    for entry in found["methods"]:
        entry["capabilities"] = asdict(CAPABILITIES[entry["type"]])
    found["exporters"] = _listed(exporters.TAGS)
    found["stores"] = _listed(STORES)
    return found


def _capable(
    kind: str, data: str, serves: str, distributed: str, launches: list[str], **_: str
) -> str:
    reach = "one process" if distributed == "single" else f"several processes ({distributed})"
    return (
        f"{kind}; learns from {data}; serves a {serves}; {reach}; {' and '.join(launches)} launches"
    )


def _listed(table: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"type": tag, "summary": _summary(_docstring(at))} for tag, at in table.items()]


def _docstring(target: str) -> str:
    """Return the docstring of `module:Name`, read from its source: importing a store is slow."""
    module, name = target.split(":")
    spec = find_spec(module)
    assert spec is not None, target
    assert spec.origin is not None, target
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    definitions = (
        n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef) and n.name == name
    )
    return ast.get_docstring(next(definitions)) or ""


def _summary(docstring: str | None) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join((docstring or "").strip().split("\n\n")[0].split())
