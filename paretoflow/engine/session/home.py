"""The folder that a sweep's relative paths start at: the current folder of its first command.

It is noted beside the spec and not in it, because it is a path of one machine. A sweep on a cluster
has no note; its paths start at the uploaded folder.
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
    """Note the current folder as the start of the sweep's relative paths.

    Args:
        root: Folder of the sweep.
        again: Whether to replace an existing note.
    """
    folder, here = as_folder(root), str(Path.cwd())
    if not again and folder.exists(FOLDER_FILE):
        return
    if _noted(folder) != here:
        folder.write(FOLDER_FILE, (json.dumps({"folder": here}) + "\n").encode())


def home_of(root: Root, spec: Mapping[str, Any]) -> Path:
    """Return the folder that a sweep's relative paths start at, on this machine.

    Where the noted folder is gone, the current folder is used if it has the files that the spec
    names: a project may have been moved. Its files are compared with those of the sweep's start
    before anything is trained.

    Args:
        root: Folder of the sweep.
        spec: Spec of the sweep as plain JSON values.

    Raises:
        SpecError: If the folder is gone, and the current folder lacks files that the spec names.
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
    """Return the noted folder; empty where there is none, as in sweeps of earlier versions."""
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
    """Yield the files that a spec names relative to its folder and that another folder lacks.

    A model's path may also be a hub id: the code that loads the model checks it.
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
