"""The spec of an existing sweep, read from its own folder: resuming it needs no YAML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress

from pydantic import ValidationError

from paretoflow import __version__
from paretoflow.core.errors import SchemaVersionError, SpecError, SweepNotFoundError
from paretoflow.engine.read.stored_spec import SPEC_FILE, read_spec
from paretoflow.engine.session.folder import CHANGEABLE, differing
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import EventKind
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.models import SERVER_KEYS
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Folder, Root, as_folder

_PLACES = tuple(f"model.generation.{key}" for key in SERVER_KEYS)
"""Keys of the places of servers, which may change too."""


def load_sweep_spec(root: Root, overrides: Sequence[str] = (), *, files: bool = True) -> SweepSpec:
    """Return a sweep's spec, with the current place of its folder as its storage.

    Args:
        root: Folder of the sweep.
        overrides: Each as `a.b=value`, for the keys that may change.
        files: Whether the files and folders that it names must be on this machine.

    Raises:
        SweepNotFoundError: If the folder holds no sweep.
        SpecError: If an override is faulty or changes a fixed key, or the folder has another name
            than its sweep.
        SchemaVersionError: If a newer version of ParetoFlow wrote the sweep.
    """
    folder = as_folder(root)
    plain = read_spec(folder)
    _stored(folder, plain)
    storage, _, name = folder.uri.rpartition("/")
    if name != plain["name"]:  # the last part may be a link to the folder
        storage, _, name = folder.place.rpartition("/")
    if name != plain["name"]:
        raise SpecError(
            f"the sweep in it is named {plain['name']!r}",
            folder.uri,
            "the last part of the place must be the sweep's name: move it back",
            code="spec-fixed",
        )
    _require_changeable(overrides)
    return load_spec_text(
        json.dumps(plain, indent=1, ensure_ascii=False),
        f"{folder.uri}/{SPEC_FILE}",
        overrides,
        storage,
        files=files,
        stored=True,
    )


def require_readable(root: Root) -> None:
    """Refuse a sweep of a newer version before any of its files is touched.

    Raises:
        SchemaVersionError: If a newer version wrote the sweep; a folder without a sweep passes.
    """
    folder = as_folder(root)
    with suppress(SweepNotFoundError):
        _stored(folder, read_spec(folder))
        open_ledger(folder, writer=False)


def changed_keys(spec: SweepSpec, root: Root) -> list[str]:
    """Return the top-level keys in which a spec differs from that of the sweep in a folder.

    Raises:
        SpecError: If one of the keys may not change.
        SchemaVersionError: If a newer version of ParetoFlow wrote the sweep.
    """
    folder = as_folder(root)
    old = _stored(folder, read_spec(folder)).model_dump(mode="json")
    new = spec.model_dump(mode="json")
    differs = [k for k in differing(new, old) if k != "storage"]
    fixed = [k for k in differs if k not in CHANGEABLE]
    if fixed:
        raise SpecError(
            f"a sweep named {spec.name!r} runs there already, with another {', '.join(fixed)}",
            folder.uri,
            "give this sweep another name, or stop that one first",
            code="spec-fixed",
        )
    return differs


def _stored(folder: Folder, plain: dict[str, object]) -> SweepSpec:
    """Return the stored spec; keys that an older version left out have their defaults."""
    try:
        return SweepSpec.model_validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SchemaVersionError(
            f"it does not fit this version of ParetoFlow, {__version__}: {key}: {first['msg']}",
            f"{folder.uri}/{SPEC_FILE}",
            f"version {_written_by(folder)} wrote it: go on with that one, or a newer",
        ) from error


def _written_by(folder: Folder) -> str:
    try:
        events = open_ledger(folder, writer=False).events()
    except SweepNotFoundError:
        return "?"
    versions = [
        e.payload["code_version"]
        for e in events
        if e.kind is EventKind.OPENED and "code_version" in e.payload
    ]
    return str(versions[-1]) if versions else "?"


def _require_changeable(overrides: Sequence[str]) -> None:
    allowed = [key for key in CHANGEABLE if key != "storage"]  # the storage is the sweep's place
    for text in overrides:
        dotted = text.partition("=")[0].strip()
        if dotted.partition(".")[0] not in allowed and dotted not in _PLACES:
            shown = ", ".join((*allowed, *_PLACES))
            raise SpecError(
                f"`{dotted}` cannot change once a sweep is there; allowed: {shown}",
                "--set",
                "start a sweep of another name for anything else",
                code="spec-fixed",
            )
