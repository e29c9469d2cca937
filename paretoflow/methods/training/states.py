"""Trainer state on disk: which folders are complete, and which one to resume from.

The trainers write the files; a manifest with every file's digest, written last, marks a folder as
complete. A folder without one, or with a missing or changed file, is torn: no run resumes from it.
This module loads no torch.
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
"""Marks a folder of trainer state as complete; written last."""

_PATTERN = "checkpoint-*"  # transformers' name for them


@dataclass(frozen=True)
class Layout:
    """Distribution of trainer state over ranks: only a group of the same kind can resume it."""

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
    """A complete folder of trainer state.

    Args:
        step: Optimiser steps done.
        multipliers: Multipliers of the dual controller, length m.
    """

    folder: Path
    step: int
    layout: Layout
    multipliers: tuple[float, ...]


def state_folder(run_folder: Path, step: int) -> Path:
    """Return the folder that the trainers write the state at a step to."""
    return run_folder / f"checkpoint-{step}"


def seal(state: TrainerState, names: Sequence[str]) -> None:
    """Complete a folder: flush its files to disk, then write the manifest.

    Any other state beside it is removed, since this one is newer.

    Args:
        state: State in the files.
        names: Names of the files, relative to the folder.
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
    """Remove the incomplete trainer state below a run's folder, which has no manifest."""
    for folder in run_folder.glob(_PATTERN):
        if not (folder / MANIFEST).is_file():
            shutil.rmtree(folder, ignore_errors=True)


def read_state(folder: Path) -> TrainerState | None:
    """Return the state of a folder; None if it is torn or not a folder of trainer state."""
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
    """Return the state to resume from: of the complete ones that fit the group, the latest step.

    Args:
        attempts: Folders of a run's attempts so far (`AttemptContext.folder` of each), oldest
            first; among equal steps the later attempt's is taken.
        parallel: Any rank of the resuming worker group; None means one rank without ZeRO.
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
        MethodError: If the state is torn, or another kind of worker group wrote it.
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
