"""Rules for the files and folders in a sweep YAML; they check existence and open nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from paretoflow.core.user import home_path
from paretoflow.spec.data_given import kind_of
from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.models import PretrainedModelSpec
from paretoflow.spec.objectives import RewardModelObjectiveSpec
from paretoflow.spec.positions import Fault
from paretoflow.spec.rules.data import placed
from paretoflow.spec.shape import KeyPath, nearest
from paretoflow.spec.uris import path_fault, path_of, uri_fault

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
"""Files of an adapter's folder."""
_HUB_ID = re.compile(r"^[\w][\w.-]*(/[\w][\w.-]*)?$")


def named_files(draft: Draft) -> Iterator[Fault]:
    """Find missing files and folders."""
    for place, source in placed(draft.data) if draft.data is not None else ():
        kind = getattr(source, "type", None) or kind_of(source.path)
        if kind == "hub":
            yield from _missing_folder((*place, "path"), source.path, "data set")
        else:
            yield from _missing_file((*place, "path"), source.path)
    if isinstance(draft.model, PretrainedModelSpec):
        yield from _missing_folder(("model", "path"), draft.model.path, "model")
        if draft.model.adapter is not None:
            yield from _missing_adapter(draft.model.adapter)
    for index, objective in draft.objectives:
        if isinstance(objective, RewardModelObjectiveSpec):
            yield from _missing_folder(("objectives", index, "path"), objective.path, "model")


def _missing_file(path: KeyPath, name: str) -> Iterator[Fault]:
    if Path(name).is_dir():
        yield Fault(
            path,
            f"got the folder {name!r}; allowed: a file",
            "name the file in it",
            code="spec-unusable-file",
        )
    elif not Path(name).is_file():
        folder = Path(name).parent
        beside = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        near = nearest(Path(name).name, beside)
        what = f"there is no file {name!r}" + (
            "" if folder.is_dir() else f", nor a folder {str(folder)!r}"
        )
        hint = f"did you mean {str(folder / near)!r}?" if near else ""
        yield Fault(
            path,
            what,
            hint or f"paths start at the folder of the command, {str(Path.cwd())!r}",
            code="spec-missing-file",
        )


def _missing_folder(path: KeyPath, name: str, noun: str) -> Iterator[Fault]:
    if not Path(name).exists() and not (_HUB_ID.match(name) and not name.startswith(".")):
        what = f"there is no folder {name!r}, and it is no hub id"
        yield Fault(
            path,
            what,
            f"give the folder of a saved {noun}, or a hub id like owner/name",
            code="spec-missing-file",
        )
    elif noun == "model" and Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        what = f"the folder {name!r} holds no model: config.json is not there"
        yield Fault(
            path, what, "name the folder that `save_pretrained` wrote", code="spec-unusable-file"
        )


def _missing_adapter(name: str) -> Iterator[Fault]:
    path, folder = ("model", "adapter"), Path(name)
    missing = [n for n in (CONFIG_FILE, WEIGHTS_FILE) if not (folder / n).is_file()]
    if not folder.is_dir():
        what = f"there is no folder {name!r}"
        hint = f"paths start at the folder of the command, {str(Path.cwd())!r}"
        yield Fault(path, what, hint, code="spec-missing-file")
    elif missing:
        what = f"the folder {name!r} holds no adapter: {' and '.join(missing)} missing"
        hint = "name a folder that PEFT's `save_pretrained` wrote, with safetensors"
        yield Fault(path, what, hint, code="spec-unusable-file")


def _is_file(path: str) -> bool:
    return home_path(path).is_file()


def _storage_root(draft: Draft) -> Iterator[Fault]:
    """Find a storage root that cannot hold a sweep."""
    storage = draft.storage
    if storage is None:
        return
    scheme, found, rest = storage.partition("://")
    if found and scheme.lower() != "file":
        what, hint = uri_fault(storage)
    elif found and path_of(storage) == storage:
        what = f"got {storage!r}; allowed: file:// and an absolute path"
        hint = f"write {Path(rest).absolute().as_uri()!r}"
    else:
        path = path_of(storage)
        found_there = path_fault(path)
        what, hint = found_there if found_there[0] else path_fault(str(Path(path).absolute()))
    if what:
        yield Fault(("storage",), what, hint, code="spec-not-allowed")
    elif not ("://" in storage and scheme.lower() != "file") and _is_file(path_of(storage)):
        yield Fault(
            ("storage",),
            f"got {storage!r}, a file; allowed: a folder",
            "name another folder",
            code="spec-not-allowed",
        )


RULES: tuple[Rule, ...] = (_storage_root,)
