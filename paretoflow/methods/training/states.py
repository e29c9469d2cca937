"""Trainer state on disk: which folders of it are whole, and which is the one to go on from.

The trainers write the files; a manifest written last, with every file's digest, makes a folder
whole. A folder without one, or with a file that is missing or differs, is torn: it is never resumed
from. Nothing here loads torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from paretoflow.core.errors import MethodError
from paretoflow.core.protocols import Parallel

MANIFEST = "paretoflow_state.json"
"""Makes a folder of trainer state whole; written last."""

_PATTERN = "checkpoint-*"  # transformers' name for them


@dataclass(frozen=True)
class Layout:
    """How trainer state is spread over ranks: it can be resumed from by no other kind of group."""

    ranks: int
    zero: int
    offload: bool

    @classmethod
    def of(cls, parallel: Parallel) -> Layout:
        """Return the layout that a worker group writes."""
        return cls(parallel.ranks, parallel.zero, parallel.offload)

    def __str__(self) -> str:
        """Return the layout in words."""
        ranks = f"{self.ranks} rank" + ("" if self.ranks == 1 else "s")
        return f"{ranks} at ZeRO {self.zero}" + (" with offload" if self.offload else "")


@dataclass(frozen=True)
class TrainerState:
    """A whole folder of trainer state.

    Args:
        step: Optimiser steps done.
        multipliers: The dual controller's, length m.
    """

    folder: Path
    step: int
    layout: Layout
    multipliers: tuple[float, ...]


def state_folder(run_folder: Path, step: int) -> Path:
    """Return the folder that the trainers write the state at a step to."""
    return run_folder / f"checkpoint-{step}"


def seal(state: TrainerState, names: Sequence[str]) -> None:
    """Make a folder whole: put its files on the disk, then the manifest.

    Any other state beside it is removed, since this one is newer.

    Args:
        state: What the files hold.
        names: Of the files, relative to the folder.
    """
    files = {}
    for name in names:
        with (state.folder / name).open("rb") as stream:
            files[name] = hashlib.file_digest(stream, "sha256").hexdigest()
            os.fsync(stream.fileno())
    manifest = {
        "step": state.step,
        "layout": asdict(state.layout),
        "multipliers": state.multipliers,
        "files": files,
    }
    partial = state.folder / f".{MANIFEST}"
    with partial.open("w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(state.folder / MANIFEST)
    for older in state.folder.parent.glob(_PATTERN):
        if older != state.folder:
            shutil.rmtree(older)


def discard_states(run_folder: Path) -> None:
    """Remove all trainer state below a run's folder: the run is over."""
    for folder in run_folder.glob(_PATTERN):
        shutil.rmtree(folder)


def discard_torn(run_folder: Path) -> None:
    """Remove the trainer state below a run's folder that has no manifest: it was cut short."""
    for folder in run_folder.glob(_PATTERN):
        if not (folder / MANIFEST).is_file():
            shutil.rmtree(folder, ignore_errors=True)


def read_state(folder: Path) -> TrainerState | None:
    """Return what a folder of trainer state holds; None if it is torn or none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = dict(manifest["files"])
        state = TrainerState(
            folder, manifest["step"], Layout(**manifest["layout"]), tuple(manifest["multipliers"])
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    try:
        whole = all(_digest(folder / name) == digest for name, digest in files.items())
    except OSError:
        return None
    return state if whole else None


def latest_state(attempts: Sequence[Path], parallel: Parallel | None = None) -> Path | None:
    """Return the state to go on from: the most steps among the whole ones that the group can read.

    Args:
        attempts: Folders of a run's attempts so far (`AttemptContext.folder` of each), oldest
            first; among equal steps the later attempt's is taken.
        parallel: Any rank of the worker group that is to go on; None means one rank without ZeRO.
    """
    layout = Layout.of(parallel or Parallel())
    candidates = [folder for attempt in attempts for folder in attempt.glob(_PATTERN)]
    states = [state for state in map(read_state, candidates) if state is not None]
    best: TrainerState | None = None
    for state in states:
        if state.layout == layout and (best is None or state.step >= best.step):
            best = state
    return None if best is None else best.folder


def require_state(folder: Path, parallel: Parallel) -> TrainerState:
    """Return the state to resume from.

    Raises:
        MethodError: If it is torn, or another kind of worker group wrote it.
    """
    state = read_state(folder)
    if state is None:
        raise MethodError(
            "the trainer state to resume from is torn: a file is missing or differs",
            str(folder),
            "resume from latest_state, which passes over torn ones, or start afresh",
            code="training-state",
        )
    layout = Layout.of(parallel)
    if state.layout != layout:
        raise MethodError(
            f"the trainer state to resume from was saved by {state.layout}; allowed: {layout}",
            str(folder),
            "give the worker group the resources that it had, or start afresh",
            code="training-state",
        )
    return state


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
