"""Callbacks of a driver beside its ledger and its backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paretoflow.engine.live import GroupState, LiveBoard
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.tables import Event, FrontRecord


class StopRequestedError(Exception):
    """A request to stop the sweep; its text says from whom. Never leaves the driver."""


@dataclass(frozen=True)
class Watching:
    """Callbacks of a progress display for a running sweep.

    Args:
        state: Called after every change of the state, with a note; must not raise.
        groups: Called repeatedly with the states of the worker groups; must not raise.
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
    """Callbacks of a driver beside ledger and backend.

    Args:
        watch: Called after every change of the state, for progress displays; must not raise.
        recover: Returns events found in fragments that are not in the ledger.
        stop_asked: Returns the reason of a request to stop the sweep; empty while there is none.
        board: Board that shows the states of the worker groups; None for none.
        groups: Called with the states of the worker groups, as often as the board is updated.
        front: Called with every front that was recorded.
        decided: Called with the seconds that a decision with launches took, commit included.
        accept_change: Whether the sweep continues although inputs that scores depend on changed.
        interrupted: Returns the origin of a KeyboardInterrupt, in words.
        judged: Returns the money that judges have cost so far; None where there is no judge.
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
    judged: Callable[[], float] | None = None
