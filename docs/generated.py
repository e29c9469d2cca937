"""The reference pages that are made from the code: every YAML key and every command.

`conf.py` writes them at each build; git ignores them. `pages` is pure, so that a test can read what
they say without a build.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from paretoflow.cli.main import VERBS, build
from paretoflow.core import errors
from paretoflow.core.codes import CODES
from paretoflow.spec.rewards import RewardSpec
from paretoflow.spec.sweep import SweepSpec

Schema = Mapping[str, Any]

_INTRO = """\
# YAML reference

This page and the pages below it are generated from the schema that checks a sweep YAML.
`paretoflow schema` prints the same as JSON schema, for editors.
An unknown key is an error with its line and the nearest name.
In every path, `~`, `$NAME` and `${NAME}` are replaced. A variable that is not set is an error, and
`$$` is a dollar sign.
"""


def pages() -> dict[str, str]:
    """Return the text of each generated page, by its path below `docs/`."""
    schema = SweepSpec.model_json_schema()
    defs = schema["$defs"]
    sections = {
        f"reference/yaml/{key}.md": _page(key, value, defs)
        for key, value in schema["properties"].items()
        if _targets(value)
    }
    return {
        "reference/yaml/index.md": _index(schema),
        **sections,
        "reference/yaml/train-reward.md": _rewards(),
        "reference/command-line.md": _command_line(),
        "reference/error-codes.md": _error_codes(),
    }


def slug(heading: str) -> str:
    """Return the anchor that MyST gives a heading: GitHub's rule."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _index(schema: Schema) -> str:
    defs = schema["$defs"]
    named = [key for key, value in schema["properties"].items() if _targets(value)]
    rows = "\n".join(
        f"| {f'[`{key}`]({key}.md)' if key in named else f'`{key}`'} | {_allowed(value)} "
        f"| {_default(key, value, schema, defs)} | {_line(_meaning(value, defs))} |"
        for key, value in schema["properties"].items()
    )
    tree = "\n".join([*named, "train-reward"])
    return (
        f"{_INTRO}\n| key | allowed | default | meaning |\n| --- | --- | --- | --- |\n{rows}\n\n"
        f"```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    )


def _meaning(value: Schema, defs: Schema) -> str:
    return str(value.get("description") or defs[_targets(value)[0]].get("description", ""))


def _page(key: str, value: Schema, defs: Schema) -> str:
    """Return the page of one key of a sweep: a section for each `type`, and for what they hold."""
    lines = [f"# `{key}`", "", _line(_meaning(value, defs)), ""]
    shared: dict[str, str] = {}
    kinds = _targets(value)
    for name in kinds:
        if len(kinds) > 1:
            lines += [f"## `{_tag(defs[name]) or name}`", ""]
        lines += _section(defs[name], defs, shared, bare=len(kinds) == 1)
    return "\n".join([*lines, *_nested(defs, shared)]) + "\n"


def _nested(defs: Schema, shared: dict[str, str]) -> list[str]:
    """Return a section for each definition that was referred to, and for those in them."""
    lines: list[str] = []
    done: set[str] = set()
    while waiting := [name for name in shared if name not in done]:
        for name in waiting:
            done.add(name)
            lines += [f"## `{shared[name]}`", "", *_section(defs[name], defs, shared)]
    return lines


def _rewards() -> str:
    """Return the page of the YAML that `paretoflow train-reward` reads."""
    schema = RewardSpec.model_json_schema()
    shared: dict[str, str] = {}
    lines = ["# `train-reward`", "", "The YAML of `paretoflow train-reward`.", ""]
    lines += _section(schema, schema["$defs"], shared)
    return "\n".join([*lines, *_nested(schema["$defs"], shared)]) + "\n"


def _section(
    definition: Schema, defs: Schema, shared: dict[str, str], *, bare: bool = False
) -> list[str]:
    """Return a definition's text and table; `shared` gains the definitions that it refers to."""
    lines = [] if bare else [_paragraphs(definition.get("description", "")), ""]
    lines += ["| key | allowed | default | meaning |", "| --- | --- | --- | --- |"]
    keys = definition["properties"]
    for key, value in sorted(keys.items(), key=lambda item: item[0] != "type"):
        for name in _targets(value):
            shared.setdefault(name, _title(key, defs[name]))
        allowed = _linked(value, shared)
        default = _default(key, value, definition, defs)
        lines.append(f"| `{key}` | {allowed} | {default} | {_line(value.get('description', ''))} |")
    return [*lines, ""]


def _linked(value: Schema, shared: Mapping[str, str]) -> str:
    links = [f"[`{shared[name]}`](#{slug(shared[name])})" for name in _targets(value)]
    if not links:
        return _allowed(value)
    null = " or `null`" if {"type": "null"} in value.get("anyOf", ()) else ""
    listed = "list of " if value.get("type") == "array" else ""
    return listed + " or ".join(links) + null


def _title(key: str, definition: Schema) -> str:
    """Return the heading of a nested definition: its key, and its tag where it has one."""
    tag = _tag(definition)
    return f"{key}: {tag}" if tag else key


def _tag(definition: Schema) -> str | None:
    return definition.get("properties", {}).get("type", {}).get("const")


def _targets(value: Schema) -> list[str]:
    """Return the names of the definitions with keys of their own that a value may be."""
    found = list(dict.fromkeys(_references(value)))
    return [name for name in found if name != "Direction"]


def _references(value: Schema) -> Iterator[str]:
    if "$ref" in value:
        yield value["$ref"].rsplit("/", 1)[1]
    for key in ("oneOf", "anyOf"):
        for part in value.get(key, ()):
            yield from _references(part)
    for key in ("items", "additionalProperties"):
        if isinstance(value.get(key), dict):
            yield from _references(value[key])


def _allowed(value: Schema) -> str:
    """Return what a value may be, in words."""
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{item}`" for item in value["enum"])
    if "$ref" in value:
        plain = value["$ref"].endswith("/Direction")
        return "`maximize`, `minimize`" if plain else "mapping"
    for key in ("anyOf", "oneOf"):
        if key in value:
            return " or ".join(dict.fromkeys(map(_allowed, value[key])))
    return _plain(value)


def _many(kind: str) -> str:
    return "mappings" if kind == "mapping" else kind


def _plain(value: Schema) -> str:
    kind = value.get("type", "any value")
    if kind == "array":
        items = value.get("prefixItems")
        if items:
            return f"list of {len(items)}: {', '.join(map(_allowed, items))}"
        return f"list of {_many(_allowed(value.get('items', {})))}"
    if kind == "object":
        inner = value.get("additionalProperties")
        return (
            f"names, each with a {_allowed(inner)}"
            if isinstance(inner, dict)
            else "keys and values"
        )
    words = {"string": "text", "boolean": "`true`, `false`", "null": "`null`"}
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {value[key]:g}" for key, sign in bounds.items() if key in value]
    return ", ".join([words.get(kind, kind), *limits])


def _default(key: str, value: Schema, owner: Schema, defs: Schema) -> str:
    if key in owner.get("required", ()):
        return "required"
    default = value.get("default", {})
    if default in ([], {}):
        return "none"
    if isinstance(default, dict) and _targets(value):
        return _changed(default, [defs[name] for name in _targets(value)])
    return f"`{json.dumps(default, ensure_ascii=False)}`"


def _changed(default: Schema, choices: list[Schema]) -> str:
    """Return what a mapping's default says beyond the defaults of its own keys."""
    kinds = [c for c in choices if _tag(c) == default.get("type")] or choices
    own = {key: value.get("default") for key, value in kinds[0]["properties"].items()}
    changed = {k: v for k, v in default.items() if k == "type" or (own[k] or None) != (v or None)}
    if "type" in changed:
        return f"`type: {changed['type']}`"
    return f"`{json.dumps(changed, ensure_ascii=False)}`" if changed else "the defaults below"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _command_line() -> str:
    """Return the page of every command: what it does, its options, examples."""
    group = build()
    context = group.make_context("paretoflow", ["plugins"], resilient_parsing=True)
    lines = [
        "# Command line",
        "",
        "Generated from the commands themselves; `paretoflow COMMAND --help` prints the same.",
        "Exit status: 0 done, 1 failed, 2 a fault in what was given, 130 interrupted.",
        "",
    ]
    for verb in VERBS:
        _, command, _ = group.resolve_command(context, [verb])
        lines += [
            f"## `paretoflow {verb}`",
            "",
            *_help(command.help or ""),
            *_options(command),
        ]
        examples = "\n".join(f"$ {example}" for example in VERBS[verb].examples)
        lines += ["```console", examples, "```", ""]
    return "\n".join(lines)


def _error_codes() -> str:
    """Return the page of every code: its class, what it means and what to do."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    classes = {k.code: k for k in kinds if issubclass(k, errors.ParetoflowError)}
    lines = [
        "# Error codes",
        "",
        "Every error has a code: `error[spec-unknown-key]` on the command line, `error.code` in "
        "Python. Codes stay the same when messages are reworded. A code begins with the code of "
        "its class; [errors and what to do](../errors.md) shows examples.",
    ]
    for code, (meaning, remedy) in CODES.items():
        if code in classes:
            head = f"## `{classes[code].__name__}`"
            lines += ["", head, "", "| code | meaning | what to do |", "| --- | --- | --- |"]
        lines.append(f"| `{code}` | {_line(meaning)} | {_line(remedy)} |")
    return "\n".join(lines) + "\n"


def _help(text: str) -> list[str]:
    """Return a command's help; what it marks as laid out by hand stays as it is."""
    lines: list[str] = []
    for part in inspect.cleandoc(text).split("\n\n"):
        kept = part.startswith("\b\n")
        lines += ["```text", part.removeprefix("\b\n"), "```", ""] if kept else [part, ""]
    return lines


def _options(command: Any) -> list[str]:
    lines = ["| argument | meaning |", "| --- | --- |"]
    for parameter in command.params:
        if parameter.name == "help":
            continue
        names = ", ".join(f"`{name}`" for name in parameter.opts if name.startswith("-"))
        choices = getattr(parameter.type_descriptor.annotation, "__members__", {})
        value = parameter.metavar or "|".join(kind.value for kind in choices.values())
        takes = f"`{_line(value)}`" if value else ""
        needed = " Required." if parameter.required else ""
        lines.append(f"| {names} {takes} | {_line(parameter.help or '')}{needed} |")
    return [*lines, ""]
