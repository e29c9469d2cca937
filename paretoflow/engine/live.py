"""The current work of a sweep's worker groups, kept in a file beside the ledger for `status`.

No decision depends on it and nothing is lost with it: the ledger is the only memory.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError

from paretoflow.core.errors import StorageError
from paretoflow.storage import Folder, as_folder

LIVE_FILE = "live.json"
EVERY_S = 2.0
"""Shortest time between two writes, in seconds."""
PATIENCE_S = 1.0
"""Longest time that a driver waits for storage to accept the board, in seconds."""
LOOK_EVERY_S = 0.5
"""Shortest time between two updates of all worker groups, in seconds."""
STORED_NAME = "gangs"
"""Key of the worker groups in `live.json`; kept for compatibility with earlier versions."""


class GroupPhase(StrEnum):
    """The current activity of a worker group."""

    WAITING = "waiting"
    """Waits for resources, or for a failed disk, network or storage; `reason` says which."""
    LOADING = "loading"
    IDLE = "idle"
    BUSY = "busy"
    LEAVING = "leaving"
    """Saves its run because its machine will be taken back or the sweep stops."""


@dataclass(frozen=True)
class Doing:
    """Progress of a worker group before its first launch.

    Args:
        of: Total amount of work; 0 where nothing is counted.
    """

    what: str
    done: int
    of: int

    def __str__(self) -> str:
        return f"{self.what} {self.done} of {self.of}" if self.of else self.what


@dataclass(frozen=True)
class GroupState:
    """One worker group.

    Args:
        slot: Number of the worker group, from 0.
        since_s: Start of the phase, seconds since the epoch.
        run_id: Run in training; empty when there is none.
        step: Optimiser steps done of the run; -1 when unknown.
        where: Addresses of its nodes.
        reason: Reason for waiting: bundle, label, and free resources.
        doing: Progress before its first launch; None where it reports none.
    """

    slot: int
    phase: GroupPhase
    since_s: FiniteFloat
    run_id: str = ""
    attempt: int = 0
    step: int = -1
    where: tuple[str, ...] = ()
    reason: str = ""
    doing: Doing | None = None


@dataclass(frozen=True)
class Live:
    """The worker groups of a sweep at one moment.

    Args:
        time_s: Time of the observation, seconds since the epoch.
        epoch: Epoch of the driver that wrote it.
        driver: Host and process of the driver.
        utilisation: Share of the worker groups' time since the driver's start in which they were
            busy, 0 to 1.
    """

    time_s: FiniteFloat
    epoch: int
    driver: str
    groups: Annotated[tuple[GroupState, ...], Field(alias=STORED_NAME)]
    utilisation: FiniteFloat


_READER = TypeAdapter(Live)


class LiveBoard:
    """Writes `live.json` at intervals and measures the utilisation of the worker groups.

    Args:
        folder: The sweep's folder; None keeps the board in memory only.
    """

    def __init__(self, folder: Folder | None, epoch: int, now_s: float) -> None:
        self._folder = None if folder is None else as_folder(folder, PATIENCE_S)
        self._epoch = epoch
        self._seen_s = now_s
        self._written_s = -1e18
        self._busy_s = 0.0
        self._there_s = 0.0

    @property
    def utilisation(self) -> float:
        """Return the share of the groups' time in which they were busy; 0.0 at the start."""
        return self._busy_s / self._there_s if self._there_s else 0.0

    def is_due(self, now_s: float) -> bool:
        """Check whether the last update is at least `LOOK_EVERY_S` old."""
        return now_s - self._seen_s >= LOOK_EVERY_S

    def update(self, groups: Sequence[GroupState], now_s: float) -> None:
        """Record the states of the worker groups; write them if the last write is old enough."""
        passed, self._seen_s = max(0.0, now_s - self._seen_s), now_s
        self._busy_s += passed * sum(g.phase is GroupPhase.BUSY for g in groups)
        self._there_s += passed * len(groups)
        if self._folder is not None and now_s - self._written_s >= EVERY_S:
            self._written_s = now_s
            driver = f"{socket.gethostname()}:{os.getpid()}"
            live = Live(now_s, self._epoch, driver, tuple(groups), self.utilisation)
            with suppress(StorageError):  # a sweep continues without its board
                self._folder.write(LIVE_FILE, live_json(live))


def live_json(live: Live) -> bytes:
    """Return the content of `live.json`."""
    plain = asdict(live)
    plain[STORED_NAME] = plain.pop("groups")
    return json.dumps(plain, indent=1).encode()


def read_live(folder: Folder) -> Live | None:
    """Return the last board that was written; None where there is none, or it is damaged.

    A damaged board is no error: no decision depends on it, and the next one follows in seconds.
    """
    try:
        return _READER.validate_json(folder.read(LIVE_FILE))
    except (FileNotFoundError, ValidationError):
        return None
