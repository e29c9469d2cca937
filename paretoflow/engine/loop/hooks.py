"""What a driver hears from and tells beside its ledger and its backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paretoflow.engine.live import GroupState, LiveBoard
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.tables import Event, FrontRecord


class StopRequestedError(Exception):
    """Somebody asked the sweep to stop; its text says who. Never leaves the driver."""


@dataclass(frozen=True)
class Watching:
    """What shows a sweep to somebody while it runs.

    Args:
        state: Called after every change of the state, with a note; must not raise.
        groups: Called, again and again, with what the worker groups do; must not raise.
    """

    state: Callable[[SweepState, str], None] = lambda state, note: None
    groups: Callable[[Sequence[GroupState]], None] = lambda groups: None


NOBODY_WATCHES = Watching()


def _nothing() -> Sequence[Event]:
    return ()


def _nobody() -> str:
    return ""


@dataclass(frozen=True)
class Hooks:
    """What a driver hears from and tells beside ledger and backend.

    Args:
        watch: Called after every change of the state, for progress displays; must not raise.
        recover: Returns events found in fragments that are not in the ledger.
        stop_asked: Returns why the sweep is to stop; empty while it is not.
        board: Where the worker groups' doings are shown; None shows them nowhere.
        groups: Called with what the worker groups do, as often as the board is updated.
        front: Called with every front that was recorded.
        decided: Called with the seconds that a decision with launches took, commit included.
        accept_change: Whether the sweep goes on although what scores depend on has changed.
        interrupted: Returns what asked the process to stop, after a KeyboardInterrupt.
    """

    watch: Callable[[SweepState, str], None] = lambda state, note: None
    recover: Callable[[], Sequence[Event]] = _nothing
    stop_asked: Callable[[], str] = _nobody
    board: LiveBoard | None = None
    groups: Callable[[Sequence[GroupState]], None] = lambda groups: None
    front: Callable[[FrontRecord], None] = lambda record: None
    decided: Callable[[float], None] = lambda seconds: None
    accept_change: bool = False
    interrupted: Callable[[], str] = lambda: "stopped by the user"
