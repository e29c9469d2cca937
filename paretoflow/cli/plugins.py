"""`paretoflow plugins`: list the plug-ins of a sweep YAML, by family or one by itself."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import PydanticUndefined
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from paretoflow import exporters
from paretoflow.cli.console import echo
from paretoflow.cli.options import Format, FormatOption, plain_console
from paretoflow.core.errors import PluginError
from paretoflow.ledger import STORES
from paretoflow.spec.base import Spec
from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.shape import family, models_of, nearest

_KEYS = {
    "objectives": "objectives",
    "methods": "method",
    "proposers": "proposer",
    "data": "data",
    "models": "model",
    "trackers": "tracking",
}
"""Families by their key in a sweep YAML."""
_NEEDED = {
    "gradients": "a gradient for each objective",
    "groups": "annotators' groups",
    "parents": "trained parents",
    "program": "a program",
    "references": "reference answers",
}
_REACH = {"single": "one rank", "ddp": "one rank, DDP", "zero": "one rank, DDP, ZeRO"}

Name = Annotated[
    str | None,
    typer.Argument(
        metavar="FAMILY|NAME",
        help="A family, for instance methods, or one plug-in with its knobs.",
        show_default=False,
    ),
]


def plugins(name: Name = None, format: FormatOption = Format.TEXT) -> None:
    """List every plug-in with a summary, by family, or one plug-in with its knobs.

    Objectives, data, models, methods and proposers are named by `type` in a sweep YAML, and the
    parts of a method by their own key, for instance `aggregation`.
    """
    found = registry()
    if name is not None and name not in found:
        _one(name, found, format)
        return
    if name is not None:
        found = {name: found[name]}
    if format is Format.JSON:
        echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    console = plain_console()
    for title, entries in found.items():
        console.print(f"[bold underline]{title}[/bold underline]")
        whole = name == "methods"
        console.print(_methods(entries) if whole else _summaries(entries), "")


def registry() -> dict[str, list[dict[str, Any]]]:
    """Return every family's plug-ins: type, summary and, for a method, capabilities."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, key in _KEYS.items():
        found[name] = _entries(family(key))
        if name == "methods":
            found[name].sort(key=itemgetter("type"))
            for entry in found[name]:
                entry["capabilities"] = asdict(CAPABILITIES[entry["type"]])
            found |= {key: _entries(models) for key, models in _parts().items()}
    found["exporters"] = _listed(exporters.TAGS)
    found["stores"] = _listed(STORES)
    return found


def _parts() -> dict[str, dict[str, type[Spec]]]:
    """Return the parts of methods, by their key in a method."""
    parts: dict[str, dict[str, type[Spec]]] = {}
    for method in family("method").values():
        for key, field in method.model_fields.items():
            if models := models_of(field.annotation):
                parts.setdefault(key, {}).update(models)
    return parts


def _entries(models: Mapping[str, type[Spec]]) -> list[dict[str, Any]]:
    return [{"type": tag, "summary": _summary(model.__doc__)} for tag, model in models.items()]


def _summaries(entries: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True, min_width=14)
    table.add_column()
    for entry in entries:
        table.add_row(entry["type"], escape(entry["summary"]))
        if "capabilities" in entry:
            can = entry["capabilities"]
            serves, reach = can["serves"], _REACH[can["distributed"]]
            told = f"learns from {_learned(can)}; serves a {serves}; on {reach}"
            table.add_row("", f"[dim]{told}[/dim]")
    return table


def _methods(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Return the declared capabilities of methods, in a table of at most eighty columns."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("method\npaper", max_width=44)
    for title in ("kind\nserves", "learns from\nneeds", "runs on", "launches"):
        table.add_column(title)
    for entry in entries:
        can = entry["capabilities"]
        table.add_row(
            f"[bold]{entry['type']}[/bold]\n{escape(can['paper'])}",
            f"{can['kind']}\n{can['serves']}",
            "\n".join([_learned(can), *can["needs"]]),
            _REACH[can["distributed"]].replace(", DDP", "\nDDP"),
            "\n".join(can["launches"]),
            end_section=True,
        )
    return table


def _learned(capabilities: Mapping[str, Any]) -> str:
    data = str(capabilities["data"])
    return {"scored": "scored answers"}.get(data, data)


def _one(name: str, found: Mapping[str, Sequence[Mapping[str, Any]]], format: Format) -> None:
    """Show the plug-ins of a name, usually one, with their knobs.

    Raises:
        PluginError: If there is no plug-in of that name.
    """
    named = [
        {"family": title, **entry, "knobs": list(_knobs(title, name))}
        for title, entries in found.items()
        for entry in entries
        if entry["type"] == name
    ]
    if not named:
        known = [*found, *(e["type"] for entries in found.values() for e in entries)]
        near = nearest(name, known)
        hint = f"did you mean {near!r}?" if near else "`paretoflow plugins` lists them all"
        raise PluginError(
            f"no family and no plug-in is named {name!r}", hint=hint, code="plugin-unknown"
        )
    if format is Format.JSON:
        echo(json.dumps(named, indent=2, ensure_ascii=False))
        return
    console = plain_console()
    for entry in named:
        _tell(entry, console)


def _tell(entry: Mapping[str, Any], console: Console) -> None:
    console.print(f"[bold]{entry['type']}[/bold], of {entry['family']}")
    console.print(escape(entry["summary"]), "")
    if "capabilities" in entry:
        can = entry["capabilities"]
        facts = Table(box=None, pad_edge=False, show_header=False)
        facts.add_column(no_wrap=True)
        facts.add_column()
        note = f" ({can['distributed_note']})" if can["distributed_note"] else ""
        for title, text in {
            "paper": can["paper"],
            "kind": can["kind"],
            "learns from": _learned(can),
            "needs": ", ".join(_NEEDED[need] for need in can["needs"]),
            "serves": f"a {can['serves']}",
            "runs on": _REACH[can["distributed"]] + note,
            "launches": ", ".join(can["launches"]),
        }.items():
            if text:
                facts.add_row(title, escape(text))
        console.print(facts, "")
    if entry["knobs"]:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("key", no_wrap=True)
        table.add_column("default", max_width=24)
        table.add_column("what it does")
        for knob in entry["knobs"]:
            default = "required" if knob["required"] else json.dumps(knob["default"])
            table.add_row(knob["key"], escape(default), escape(knob["summary"]))
        console.print(table)


def _knobs(title: str, tag: str) -> Iterator[dict[str, Any]]:
    """Yield the YAML keys of a plug-in, its own first, with defaults and meaning."""
    models = family(_KEYS[title]) if title in _KEYS else _parts().get(title, {})
    if tag not in models:  # exporters and stores have none
        return
    own = models[tag].__annotations__
    for key, field in sorted(models[tag].model_fields.items(), key=lambda item: item[0] not in own):
        if key == "type":
            continue
        default = field.get_default(call_default_factory=True, validated_data={})
        if isinstance(default, Spec):
            default = default.model_dump(mode="json")
        yield {
            "key": key,
            "required": field.is_required(),
            "default": None if default is PydanticUndefined else default,
            "summary": " ".join((field.description or "").split()),
        }


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
