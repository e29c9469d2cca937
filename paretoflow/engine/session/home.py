"""The folder that a sweep's relative names start at: that of the command that began it here.

Noted beside the spec, and not in it: it is a place of one machine. A sweep that a cluster works on
has none noted there; its names start at the folder that was uploaded.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paretoflow.core.errors import LedgerError, SpecError
from paretoflow.spec.data_given import kind_of
from paretoflow.storage import Folder, Root, as_folder

FOLDER_FILE = "folder.json"


def note_home(root: Root, *, again: bool = False) -> None:
    """Note the current folder as the sweep's.

    Args:
        root: Where the sweep lives.
        again: Whether in place of one that is noted.
    """
    folder, here = as_folder(root), str(Path.cwd())
    if not again and folder.exists(FOLDER_FILE):
        return
    if _noted(folder) != here:
        folder.write(FOLDER_FILE, (json.dumps({"folder": here}) + "\n").encode())


def home_of(root: Root, spec: Mapping[str, Any]) -> Path:
    """Return the folder that a sweep's relative names start at, on this machine.

    Where the one that was noted is gone, the current folder serves if it has what the spec names:
    a project may have been moved, and what is found there is compared with what the sweep began
    with before anything is trained.

    Args:
        root: Where the sweep lives.
        spec: Its spec as plain JSON values.

    Raises:
        SpecError: If the folder is gone, and what the spec names is not here either.
        LedgerError: If the note is damaged.
    """
    folder, here = as_folder(root), Path.cwd()
    noted = _noted(folder)
    if not noted or Path(noted).is_dir():
        return Path(noted) if noted else here
    missing = sorted(set(_missing(spec, here)))
    if not missing:
        return here
    raise SpecError(
        f"the folder that its names start at is gone: {noted}; and {', '.join(missing)} "
        f"{'is' if len(missing) == 1 else 'are'} not in {here}",
        folder.uri,
        "put that folder back, or go where its files lie now and resume there",
        code="spec-missing-file",
    )


def _noted(folder: Folder) -> str:
    """Return the folder that is noted; empty where none is, as of sweeps of earlier versions."""
    try:
        text = folder.read(FOLDER_FILE).decode()
    except FileNotFoundError:
        return ""
    try:
        found = json.loads(text)["folder"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder) from error
    if not isinstance(found, str) or not Path(found).is_absolute():
        raise _damaged(folder)
    return found


def _damaged(folder: Folder) -> LedgerError:
    hint = "delete the file, and resume in the folder that the sweep was begun in"
    return LedgerError("does not name a folder", f"{folder}/{FOLDER_FILE}", hint)


def _missing(spec: Mapping[str, Any], here: Path) -> Iterator[str]:
    """Yield what a spec names relative to its folder that is not in another one.

    A model's path may be a hub id as well: whether it is there is left to who loads it.
    """
    data = spec.get("data", {})
    files = [data["path"]] if data.get("type") in ("jsonl", "parquet") else []
    sources = [source["path"] for source in data.get("sources", ())]
    files += [path for path in sources if kind_of(path) != "hub"]
    for path in map(Path, files):
        if not path.is_absolute() and not (here / path).is_file():
            yield str(path)
    for objective in spec.get("objectives", ()):
        if objective.get("type") == "import":
            top = str(objective["path"]).partition(":")[0].partition(".")[0]
            own = (here / f"{top}.py").is_file() or (here / top).is_dir()
            if not own and importlib.util.find_spec(top) is None:
                yield f"{top}.py"
