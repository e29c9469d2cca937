"""Copies adapters out of a sweep and checks each against its digest in the ledger.

No link is followed and no special file is read, in any part of a path. A copy names the base in a
way that is valid on every machine; nothing else in it is changed here.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from dataclasses import replace
from pathlib import Path

from paretoflow.core.errors import AdapterError, ModelError
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.views import SweepView
from paretoflow.exporters.base_model import BaseKind, BaseModel, base_of, digest_in
from paretoflow.exporters.portable import make_portable
from paretoflow.lm.start_files import START, copy_start, start_digest
from paretoflow.storage import Folder, as_folder
from paretoflow.storage.adapters import require_adapter

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def copy_adapters(view: SweepView, target: Path) -> BaseModel:
    """Copy the adapter of every trained point of a front to `target/<adapter_name>`, each once.

    Returns:
        The base of the adapters.

    Raises:
        ModelError: If an adapter is missing, outside the sweep, holds links, or differs from the
            evaluated one.
    """
    root = as_folder(view.root)
    trained = [point for point in view.front.points if point.path]
    for point in trained:
        _copy_adapter(root, point, target)
    copies = [target / name for name in dict.fromkeys(p.adapter_name for p in trained)]
    digests = [digest for copy in copies if (digest := digest_in(copy))]
    base = replace(base_of(view), digest=digests[0] if digests else "")
    for copy in copies:
        make_portable(copy, base)
    return base


def with_start(view: SweepView, stage: Path, base: BaseModel, adapters: str) -> BaseModel:
    """Copy the adapter that the base starts from into an export, if it has one.

    Args:
        view: The sweep.
        stage: Folder of the export.
        base: Base of the adapters.
        adapters: Place of the adapters in the export.

    Returns:
        The base, with the digest of that adapter.

    Raises:
        AdapterError: If it is gone, or is not the one that the runs were trained on.
    """
    if not base.start:
        return base
    copies = sorted({p.adapter_name for p in view.front.points if p.path})
    known = {digest_in(stage / adapters / name, "start") for name in copies}
    with tempfile.TemporaryDirectory() as place:
        source = kept_start(view, Path(place) / START)
        found = start_digest(source)
        if known - {found}:
            raise AdapterError(
                f"the adapter that the base starts from is not the one of the runs: {found[:12]}…",
                str(source),
                "restore the folder from a copy",
                code="adapter-changed",
            )
        record = base.path if base.kind is BaseKind.HUB else None
        copy_start(source, stage / START, record)
    return replace(base, start_digest=found)


def kept_start(view: SweepView, to: Path) -> Path:
    """Return the folder of the adapter that a sweep's base starts from, on this machine.

    Raises:
        AdapterError: If it is gone.
    """
    try:
        return as_folder(view.root).fetch(START, to)
    except FileNotFoundError:
        raise AdapterError(
            "the adapter that the base starts from is gone",
            f"{view.root}/{START}",
            "restore the folder from a copy",
            code="adapter-gone",
        ) from None


def copy_files(source: Path, target: Path) -> None:
    """Copy a folder of plain files, with its subfolders.

    Raises:
        ModelError: If it holds a link or another special file.
    """
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        mode, copy = path.lstat().st_mode, target / path.relative_to(source)
        if stat.S_ISDIR(mode):
            copy.mkdir()
        elif stat.S_ISREG(mode):
            shutil.copyfile(path, copy, follow_symlinks=False)
        else:
            raise _no_plain_file(path)


def _copy_adapter(root: Folder, point: FrontPoint, adapters: Path) -> None:
    """Copy an adapter folder, then check the copy, so that the checked bytes are the copied ones.

    Raises:
        ModelError: If it is missing, outside the sweep, holds links, or differs from the evaluated
            one.
    """
    if not _SAFE_NAME.fullmatch(point.adapter_name):
        raise ModelError(
            f"{point.snapshot_id!r} is not the name of a checkpoint",
            root.uri,
            "the ledger is damaged",
            code="model-export",
        )
    where = f"{root}/{point.path}"
    if ".." in point.path.split("/") or (root.local and not _is_within(root.local, point.path)):
        raise ModelError(
            f"the adapter of {point.snapshot_id} lies outside its sweep",
            where,
            "the ledger is damaged",
            code="model-export",
        )
    copy = adapters / point.adapter_name
    if copy.exists():  # another point of the same adapter
        require_adapter(copy, point.digest, where)
        return
    try:
        source = root.fetch(point.path, copy)
    except FileNotFoundError:
        raise AdapterError(
            f"the adapter of {point.snapshot_id} is gone",
            where,
            "restore the folder, or export another --snapshot",
            code="adapter-gone",
        ) from None
    if source != copy:  # a local sweep: fetched in place
        _require_no_links(root, point)
        copy_files(source, copy)
    require_adapter(copy, point.digest, where)


def _is_within(root: Path, path: str) -> bool:
    # realpath, since resolve raises at circular links
    above = os.path.realpath(root)
    return os.path.commonpath([above, os.path.realpath(root / path)]) == above


def _require_no_links(root: Folder, point: FrontPoint) -> None:
    assert root.local is not None
    place = root.local
    for part in point.path.split("/"):
        place = place / part
        if place.is_symlink():
            raise _no_plain_file(place)


def _no_plain_file(path: Path) -> ModelError:
    kind = "links" if path.is_symlink() else "what is no plain file"
    return ModelError(
        f"an adapter of the front holds {kind}, which an export does not follow",
        str(path),
        "put the files themselves there",
        code="model-export",
    )
