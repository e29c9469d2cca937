"""A sweep's folder: its place, and its spec, which is written once and compared afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from paretoflow.core.errors import (
    SpecError,
    StorageError,
    SweepNotFoundError,
)
from paretoflow.engine.read.stored_spec import SPEC_FILE, read_spec
from paretoflow.engine.session.home import note_home
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import EventKind
from paretoflow.spec.data import PydocDataSpec
from paretoflow.spec.former import going_on
from paretoflow.spec.former_control import control_going_on
from paretoflow.spec.models import SERVER_KEYS
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Folder, Root, as_folder
from paretoflow.storage.folder import require_sweep_path

CHANGEABLE = ("engine", "stop", "storage", "tracking")
"""Top-level keys that may differ when a sweep is resumed: scores stay comparable."""


def sweep_root(spec: SweepSpec) -> Folder:
    """Return the folder of a sweep, `<storage>/<name>`.

    Raises:
        StorageError: If no sweep can be stored there.
    """
    root = as_folder(spec.storage).below(spec.name)
    require_sweep_path(root)
    return root


def drawn_as_begun(spec: SweepSpec, root: Root) -> SweepSpec:
    """Return a spec with the defaults of the sweep in the folder, for keys that it leaves out.

    These are the way of drawing prompts, and defaults that have changed since.
    """
    try:
        begun = read_spec(root)
    except SweepNotFoundError:
        return spec
    spec = control_going_on(going_on(spec, begun), begun)
    drawn_by = begun.get("data", {}).get("drawn_by")
    said = isinstance(spec.data, PydocDataSpec) or "drawn_by" in spec.data.model_fields_set
    if said or drawn_by not in ("content", "row"):
        return spec
    return spec.model_copy(update={"data": spec.data.model_copy(update={"drawn_by": drawn_by})})


def enter_folder(spec: SweepSpec, root: Root, *, elsewhere: bool = False) -> None:
    """Write the resolved spec into a new sweep's folder, or check it against the spec there.

    Args:
        spec: Spec of the sweep.
        root: Folder of the sweep.
        elsewhere: Whether a cluster will run the sweep, where this folder path has no meaning.

    Raises:
        SpecError: If anything but `CHANGEABLE` differs, and the sweep has begun.
        StorageError: If storage refuses.
    """
    require_same(spec, root)
    content = json.dumps(spec.model_dump(mode="json"), indent=1) + "\n"
    as_folder(root).write(SPEC_FILE, content.encode())
    if not elsewhere:
        note_home(root)


def require_same(spec: SweepSpec, root: Root) -> None:
    """Refuse a spec that differs from that of the sweep in the folder; see `enter_folder`."""
    folder = as_folder(root)
    new = spec.model_dump(mode="json")
    try:
        old = _with_defaults(read_spec(folder))
    except SweepNotFoundError:
        return  # a new sweep
    differs = [k for k in differing(new, old) if k not in CHANGEABLE]
    if differs and _has_begun(folder):
        keys, allowed = ", ".join(differs), ", ".join(CHANGEABLE)
        raise SpecError(
            f"a sweep named {spec.name!r} lives there already, with another {keys}",
            folder.uri,
            f"give this sweep another name; to resume that one, only {allowed} may change",
            code="spec-fixed",
        )


def differing(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    """Return the top-level keys in which two specs differ, apart from places of servers."""
    return [key for key in new if _fixed(key, new[key]) != _fixed(key, old.get(key))]


def _fixed(key: str, part: Any) -> Any:
    generation = part.get("generation") if key == "model" and isinstance(part, Mapping) else None
    if not isinstance(generation, Mapping):
        return part
    kept = {name: value for name, value in generation.items() if name not in SERVER_KEYS}
    return {**part, "generation": kept}


def _with_defaults(plain: dict[str, Any]) -> dict[str, Any]:
    """Fill in keys that an older version did not have; an invalid spec stays as it is."""
    try:
        return SweepSpec.model_validate_json(json.dumps(plain), strict=True).model_dump(mode="json")
    except ValidationError:
        return plain


def _has_begun(root: Folder) -> bool:
    """Check whether anything was measured; until then the user can still correct the YAML."""
    try:
        events = open_ledger(root, writer=False).events()
    except SweepNotFoundError:
        return False
    return any(e.kind is EventKind.CALIBRATED for e in events)


@contextmanager
def entering(spec: SweepSpec, folder: Folder) -> Iterator[None]:
    """Write the spec of a sweep for a cluster; restore the folder if the block fails.

    Raises:
        SpecError: If another sweep of that name has begun there.
        StorageError: If storage refuses.
    """
    before = folder.read(SPEC_FILE) if folder.exists(SPEC_FILE) else None
    made = _missing(folder)
    try:
        enter_folder(spec, folder, elsewhere=True)
        yield
    except BaseException:
        with suppress(StorageError):  # the first error is the one to report
            if before is None:
                folder.delete(SPEC_FILE)
            elif folder.read(SPEC_FILE) != before:
                folder.write(SPEC_FILE, before)
        for path in made:
            with suppress(OSError):  # another process has written a file there
                path.rmdir()
        raise


def _missing(folder: Folder) -> list[Path]:
    """Return the folders that `entering` creates, the lowest first."""
    if folder.local is None:
        return []
    return [path for path in (folder.local, *folder.local.parents) if not path.exists()]
