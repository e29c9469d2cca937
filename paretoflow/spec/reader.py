"""Read YAML text as plain values, each with its line and column.

Scalars follow the YAML 1.2 core schema: only true and false are booleans, `5e-4` is a number, and a
date is text. Anchors, aliases and merge keys (`<<`) work; tags that build objects are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from paretoflow.core.errors import SpecError
from paretoflow.spec.positions import Document, Fault, Place, shown
from paretoflow.spec.shape import KeyPath, nearest

MAX_VALUES = 100_000
"""Bound on the values of a document, so that nested aliases cannot fill the memory."""
MAX_DEPTH = 60
"""Bound on the nesting of values: far more than any spec has, far less than the limit of JSON
parsers."""

_PREFIX = "tag:yaml.org,2002:"
_RESOLVERS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "merge": (r"<<", "<"),
}


class _Loader(yaml.SafeLoader):
    """The safe loader with YAML 1.2 scalars; only its composer is used."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, (_pattern, _first) in _RESOLVERS.items():
    _Loader.add_implicit_resolver(_PREFIX + _tag, re.compile(f"^(?:{_pattern})$"), list(_first))

_NOUNS = {"int": "whole number", "float": "number", "str": "text"}


def _number(text: str) -> int:
    return int(text, 0) if text.startswith(("0x", "0o")) else int(text)


_SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": _number,
    "float": lambda text: float(re.sub(r"\.(?=[a-zA-Z])", "", text)),
    "str": lambda text: (
        text.encode().decode()
    ),  # refuses half a surrogate pair, which JSON cannot carry
}


def read_yaml(text: str, source: str) -> Document:
    """Read YAML text into plain values with places.

    Faults inside the values (duplicate keys, tags) are collected in the document, one per spot.

    Raises:
        SpecError: If the text is no YAML.
    """
    document = Document(source)
    document.values[()] = Place(source, 1, 1)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, source) from None
    except RecursionError:
        raise SpecError(
            "nested too deeply", source, "check for unclosed brackets", code="spec-syntax"
        ) from None
    except (ValueError, OverflowError):  # PyYAML passes an impossible code point to chr()
        what = r"an escape such as \U in a quoted text names no character"
        raise SpecError(
            what,
            source,
            "correct it, or use single quotes, which take no escapes",
            code="spec-syntax",
        ) from None
    if node is not None:
        document.values[()] = _place(node, source)
        document.value = _Reader(document).read(node, (), ())
    return document


def _place(node: yaml.Node, source: str) -> Place:
    return Place(source, node.start_mark.line + 1, node.start_mark.column + 1)


class _Reader:
    """Turns composed nodes into plain values, noting places and faults in a document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.left = MAX_VALUES

    def read(self, node: yaml.Node, path: KeyPath, above: tuple[yaml.Node, ...]) -> Any:
        self.document.values.setdefault(path, _place(node, self.document.source))
        self.left -= 1
        if self.left < 0 or any(node is outer for outer in above):
            what = (
                f"more than {MAX_VALUES} values" if self.left < 0 else "an alias that holds itself"
            )
            raise SpecError(
                what,
                str(_place(node, self.document.source)),
                "write the values out",
                code="spec-syntax",
            )
        if len(above) > MAX_DEPTH:
            place = str(_place(node, self.document.source))
            raise SpecError(
                "nested too deeply", place, "check for unclosed brackets", code="spec-syntax"
            )
        if isinstance(node, yaml.MappingNode) and node.tag == _PREFIX + "map":
            return self._mapping(node, path, (*above, node))
        if isinstance(node, yaml.SequenceNode) and node.tag == _PREFIX + "seq":
            return [self.read(n, (*path, i), (*above, node)) for i, n in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, above: tuple[yaml.Node, ...]) -> Any:
        result: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == _PREFIX + "merge":
                is_list = isinstance(value_node, yaml.SequenceNode)
                merged += value_node.value if is_list else [value_node]
                continue
            key = self._key(key_node, path)
            if key is None:
                continue
            if key in result:
                first = self.document.keys[(*path, key)].line
                what = f"the key `{key}` is given twice; the first is on line {first}"
                hint, code = "remove one of the two", "spec-duplicate-key"
                self._fault(key_node, (*path, key), what, hint, code)
                continue
            self.document.keys[(*path, key)] = _place(key_node, self.document.source)
            result[key] = self.read(value_node, (*path, key), above)
        for source in merged:
            self._merge(source, path, above, result)
        return result

    def _merge(
        self, node: yaml.Node, path: KeyPath, above: tuple[yaml.Node, ...], result: dict[str, Any]
    ) -> None:
        inner = Document(self.document.source)
        reader = _Reader(inner)
        reader.left = self.left
        extra = reader.read(node, path, above)
        self.left = reader.left
        if not isinstance(extra, dict):
            what = f"`<<` merges mappings, got {shown(extra)}"
            self._fault(node, path, what, "name a mapping", "spec-wrong-type")
            return
        self.document.faults += inner.faults
        fresh = [key for key in extra if key not in result]
        result.update({key: extra[key] for key in fresh})
        depth = len(path)
        for places, new in ((self.document.keys, inner.keys), (self.document.values, inner.values)):
            places.update({p: at for p, at in new.items() if len(p) > depth and p[depth] in fresh})

    def _key(self, node: yaml.Node, path: KeyPath) -> str | None:
        is_text = node.tag in (_PREFIX + "str", _PREFIX + "null")
        if is_text and isinstance(node, yaml.ScalarNode) and node.value.isprintable():
            return str(node.value)
        got = shown(node.value) if isinstance(node, yaml.ScalarNode) else "a list or mapping"
        hint = "quote the key, or rename it"
        self._fault(node, path, f"keys must be texts, got {got}", hint, "spec-wrong-type")
        return None

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        kind = node.tag.removeprefix(_PREFIX)
        if not isinstance(node, yaml.ScalarNode) or kind not in _SCALARS:
            what = f"the tag `{node.tag.replace(_PREFIX, '!!')}` is not allowed"
            hint = "use plain values: texts, numbers, true, false, null"
            self._fault(node, path, what, hint, "spec-syntax")
            return None
        try:
            return _SCALARS[kind](node.value)
        except ValueError:
            what = f"got {shown(node.value)}, which is no {_NOUNS.get(kind, kind)}"
            self._fault(node, path, what, "correct the value", "spec-wrong-type")
            return None

    def _fault(self, node: yaml.Node, path: KeyPath, what: str, hint: str, code: str) -> None:
        place = _place(node, self.document.source)
        self.document.faults.append(Fault(path, what, hint, place=place, code=code))


def _syntax_error(error: yaml.YAMLError, text: str, source: str) -> SpecError:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        what = f"the character {chr(error.character)!r} is not allowed"
        return SpecError(
            what, f"{source}:{line}:1", "remove it; YAML is plain text", code="spec-syntax"
        )
    mark = getattr(error, "problem_mark", None)
    where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
    problem = str(getattr(error, "problem", None) or "not readable as YAML")
    return SpecError(
        f"not valid YAML: {problem}",
        where,
        "; ".join(_advice(error, problem, text)),
        code="spec-syntax",
    )


def _advice(error: yaml.YAMLError, problem: str, text: str) -> Iterator[str]:
    context = getattr(error, "context_mark", None)
    if "undefined alias" in problem:
        name = problem.split("'")[1]
        anchors = list(dict.fromkeys(re.findall(r"(?<![^\s\[{,])&([\w-]+)", text)))
        near = nearest(name, anchors)
        yield f"did you mean `*{near}`?" if near else f"define it first with `&{name}`"
        yield (
            f"anchors here: {', '.join(anchors)}" if anchors else "there is no anchor in this file"
        )
    elif "\\t" in problem:
        yield "indent with spaces, not tabs"
    elif "another document" in problem:
        yield "one sweep per file: remove the `---` and what follows"
    else:
        yield "look for an open quote or bracket, a missing space after `:`, or wrong indentation"
        if context is not None:
            yield f"what it belongs to begins on line {context.line + 1}"
