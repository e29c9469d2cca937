"""The public part of a resolved spec, without its owner's places and prompts.

Exports and reports are shared. Paths of data and models on a disk, buckets, servers, users,
arguments of imported functions and words of programs are private; a hub id is public.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from paretoflow.core.shown import without_secrets
from paretoflow.spec.data_given import kind_of

PRIVATE = "(private)"
"""Stands for a value that is left out."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_PLACES = frozenset(
    (
        "path",
        "adapter",
        "uri",
        "url",
        "dir",
        "folder",
        "file",
        "cwd",
        "host",
        "address",
        "entity",
        "project",
    )
)
_PLACE = re.compile(r"/|~|\$|\.{1,2}/|[A-Za-z]:[\\/]|\\\\|[A-Za-z][A-Za-z0-9+.-]*://")
"""Start of a text that is a place; texts for a model may begin alike, but contain spaces."""
_ABSOLUTE = re.compile(r"(?<![\w./:~-])(?:~|[A-Za-z]:)?(?:[\\/][\w.@+=-]+){2,}")
_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|\bip-\d+-\d+-\d+-\d+[\w.-]*")
_URI = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>)]*")
_SERVER: Mapping[str, Any] = MappingProxyType(
    {"url": [], "command": None, "api_key_env": None, "adapter_folder": None}
)
"""Keys of generation that name the owner's servers, with values that name none."""
_SHORTEST = 4
"""Minimum characters of a private value to search for in text: shorter ones match ordinary
words."""


def on_hub(path: str) -> bool:
    """Return whether a path of a spec is a hub id, `owner/name`, and no folder on this machine."""
    return bool(_HUB_ID.fullmatch(path)) and not Path(path).exists()


def public_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved spec with `PRIVATE` in place of private values.

    A spec without private values is returned equal, and can be run.
    """
    public: dict[str, Any] = {key: _public(key, value) for key, value in spec.items()}
    if "storage" in spec and _kept_at(str(spec["storage"])):
        public["storage"] = PRIVATE
    if spec.get("tracking"):
        public["tracking"] = []
    generation = public.get("model", {}).get("generation", {})
    generation |= {key: empty for key, empty in _SERVER.items() if key in generation}
    data = spec.get("data", {})
    if "path" in data and not (data.get("type") == "hub" and on_hub(str(data["path"]))):
        public["data"]["path"] = PRIVATE
    for source in public.get("data", {}).get("sources", ()):
        path = str(source["path"])
        if kind_of(path) != "hub" or not on_hub(path):
            source["path"] = PRIVATE
    return public


def public_text(text: str, spec: Mapping[str, Any]) -> str:
    """Return a message without the values that `public_spec` hides, paths, addresses and this host.

    By hand: `/home/ann/data/x.jsonl:3: no column` becomes `…/x.jsonl:3: no column`, and just
    `(private):3: no column` where the spec's data is read from there.
    """
    for value in sorted(_left_out(spec, public_spec(spec)), key=len, reverse=True):
        text = text.replace(value, PRIVATE)
    text = _URI.sub(PRIVATE, without_secrets(text))
    text = _ABSOLUTE.sub(lambda found: "…/" + re.split(r"[/\\]", found[0])[-1], text)
    text = _ADDRESS.sub(PRIVATE, text)
    host = socket.gethostname()
    return text.replace(host, PRIVATE) if len(host) >= _SHORTEST else text


def _public(key: str, value: Any) -> Any:
    if key in ("kwargs", "env", "labels", "headers"):
        return _hidden(value)
    if key == "argv":
        return [PRIVATE]
    if isinstance(value, Mapping):
        imported = value.get("type") == "import"
        return {k: v if imported and k == "path" else _public(k, v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_public(key, item) for item in value]
    if isinstance(value, str):
        return _public_word(key, value)
    return value


def _public_word(key: str, value: str) -> str:
    named = key in _PLACES
    begins = _PLACE.match(value) and key != "pattern"
    if (begins and (named or not re.search(r"[\s{]", value))) or (
        named and "/" in value and not on_hub(value)
    ):
        return PRIVATE
    return without_secrets(value)


def _hidden(value: Any) -> Any:
    """Return the shape of a value: names stay, their values are hidden."""
    if isinstance(value, Mapping):
        return {name: _hidden(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [PRIVATE] if value else []
    return PRIVATE


def _kept_at(storage: str) -> bool:
    """Return whether a storage root is more than the name of a folder."""
    return "/" in storage or bool(_PLACE.match(storage))


def _left_out(value: Any, public: Any) -> Iterator[str]:
    """Yield the texts of a value that are missing in its public form, and the files they name."""
    if isinstance(value, Mapping):
        shown = public if isinstance(public, Mapping) else {}
        for key, item in value.items():
            yield from _left_out(item, shown.get(key))
    elif isinstance(value, list | tuple):
        same = isinstance(public, list | tuple) and len(public) == len(value)
        for index, item in enumerate(value):
            yield from _left_out(item, public[index] if same else None)
    elif isinstance(value, str) and value != public:
        for word in (value, Path(value).name if "/" in value else value):
            if len(word) >= _SHORTEST:
                yield word
