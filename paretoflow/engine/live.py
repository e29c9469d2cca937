"""What a sweep's groups do now, as the driver last saw it; kept beside the ledger for `status`.

Nothing is decided from it and nothing is lost with it: the ledger is the only memory.
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
"""Shortest time between two writes."""
PATIENCE_S = 1.0
"""Seconds that a driver waits for storage to take the board."""
LOOK_EVERY_S = 0.5
"""Shortest time between two looks at all worker groups."""
STORED_NAME = "gangs"
"""Key of the worker groups in `live.json`; earlier versions read and wrote it so."""


class GroupPhase(StrEnum):
    """What a worker group is about."""

    WAITING = "waiting"
    """For resources, or for a disk, a network or storage that failed it; `reason` says which."""
    LOADING = "loading"
    IDLE = "idle"
    BUSY = "busy"
    LEAVING = "leaving"
    """Saves its run, because its machine is to be taken back or the sweep stops."""


@dataclass(frozen=True)
class Doing:
    """How far a worker group is with what comes before the first launch.

    Args:
        of: How much there is to do; 0 where nothing is counted.
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
        slot: Its number, from 0.
        since_s: Seconds since the epoch at which the phase began.
        run_id: Run in training; empty when there is none.
        step: Optimiser steps done of the run; -1 when not known.
        where: Addresses of the nodes that it is on.
        reason: Why it waits: bundle, label, and how much is free.
        doing: How far it is before its first launch; None where it does not tell.
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
        time_s: When, in seconds since the epoch.
        epoch: The driver that wrote it.
        driver: Host and process of the driver.
        utilisation: Share of the worker groups' time since the driver's start that they were busy,
            0 to 1.
    """

    time_s: FiniteFloat
    epoch: int
    driver: str
    groups: Annotated[tuple[GroupState, ...], Field(alias=STORED_NAME)]
    utilisation: FiniteFloat


_READER = TypeAdapter(Live)


class LiveBoard:
    """Writes `live.json` now and then, and adds up how busy the worker groups were.

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
        """Return the share of the groups' time that they were busy; 0.0 before any time passed."""
        return self._busy_s / self._there_s if self._there_s else 0.0

    def is_due(self, now_s: float) -> bool:
        """Return whether the last look is so long ago that it is worth another."""
        return now_s - self._seen_s >= LOOK_EVERY_S

    def update(self, groups: Sequence[GroupState], now_s: float) -> None:
        """Take in what the worker groups do now, and write it down if the last time is long ago."""
        passed, self._seen_s = max(0.0, now_s - self._seen_s), now_s
        self._busy_s += passed * sum(g.phase is GroupPhase.BUSY for g in groups)
        self._there_s += passed * len(groups)
        if self._folder is not None and now_s - self._written_s >= EVERY_S:
            self._written_s = now_s
            driver = f"{socket.gethostname()}:{os.getpid()}"
            live = Live(now_s, self._epoch, driver, tuple(groups), self.utilisation)
            with suppress(StorageError):  # no sweep ends because its board cannot be written
                self._folder.write(LIVE_FILE, live_json(live))


def live_json(live: Live) -> bytes:
    """Return the content of `live.json`."""
    plain = asdict(live)
    plain[STORED_NAME] = plain.pop("groups")
    return json.dumps(plain, indent=1).encode()


def read_live(folder: Folder) -> Live | None:
    """Return what was last written; None where no driver ever wrote, or what it wrote is damaged.

    Nothing is decided from it, and the next one comes in seconds: a damaged one is not worth an
    error.
    """
    try:
        return _READER.validate_json(folder.read(LIVE_FILE))
    except (FileNotFoundError, ValidationError):
        return None
