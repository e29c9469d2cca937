"""One trial: a sweep with blows at random moments, restarts of its command, and the result."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from paretoflow.ledger.tables import Event, EventKind
from tests.benchmarks.chaos.blows import FULL_S, KILLS, SmallDisk
from tests.benchmarks.chaos.sweep import Life, Sweep
from tests.benchmarks.chaos.told import (
    Blow,
    Told,
    charged,
    doubled,
    failed_for_good,
    goes_on,
    missing,
    untold,
)

MOST_LIVES = 30
"""A sweep that needs more commands than this does not go on."""
GRACE_S = 60.0
"""A command that was hit ends within this, or lives on."""


@dataclass
class Trial:
    """A sweep, what happens to it and what was seen.

    Args:
        blow: A key of `KILLS`, or any other word where `disk` is given: it is filled.
        wanted: How many blows.
        calm_s: Seconds that the undisturbed sweep took; blows come within this of a start.
        say: Called with a line for each thing that happens.
    """

    sweep: Sweep
    blow: str
    wanted: int
    calm_s: float
    moments: random.Random
    say: Callable[[str], None]
    disk: SmallDisk | None = None
    blows: list[Blow] = field(default_factory=list)
    looks: list[tuple[Event, ...]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    left: int = 0
    hung: int = 0
    _pending: list[tuple[float, float, int, int | None]] = field(default_factory=list)

    def run(self) -> Told:
        """Let commands follow each other until the sweep is done."""
        started = time.monotonic()
        status: int | None = None
        for number in range(MOST_LIVES):
            status = self._live(number)
            if status is not None and self._is_done():
                break
        else:
            self.faults.append(f"not done after {MOST_LIVES} commands")
        return self._told(status, time.monotonic() - started)

    def _live(self, number: int) -> int | None:
        life = self.sweep.drive(number)
        began = time.monotonic()
        try:
            self._fire(life, began)
            status = life.wait()
            self.hung += status is None
        finally:
            if not life.over:
                life.signal_all(signal.SIGKILL)
            left = life.end()
        if left:
            self.left += len(left)
            self.faults.append(f"command {number} left behind: {', '.join(left)}")
        self.texts.append(life.text)
        if "Traceback (most recent call last)" in life.text:
            self.faults.append(f"command {number} ended in a traceback")
        self.say(f"  command {number}: status {status}, {time.monotonic() - began:.0f} s")
        return status

    def _fire(self, life: Life, began: float) -> None:
        """Deal blows at random moments until the command has ended or there were enough."""
        while len(self._pending) < self.wanted and not life.over:
            if self._reach(life, time.monotonic() + self.moments.uniform(0.0, self.calm_s)):
                self._strike(life, began)

    def _reach(self, life: Life, moment_s: float) -> bool:
        """Wait for a moment; return whether the command lives then."""
        while time.monotonic() < moment_s and not life.over:
            time.sleep(0.05)
        return not life.over

    def _strike(self, life: Life, began: float) -> None:
        """Deal a blow, if it hits anything."""
        look = self.sweep.events()
        at_s, since_s = time.monotonic() - began, time.time()
        if self.disk is not None:
            self.disk.fill(self.moments.uniform(*FULL_S))
            since_s = time.time()
        elif not KILLS[self.blow](life, self.moments):
            return
        self.looks.append(look)
        status = life.wait(GRACE_S) if self._ends_a_command else self._now(life)
        self._pending.append((at_s, since_s, len(look), status))
        words = "lives on" if status is None else f"ended with {status}"
        self.say(f"  {self.blow} at {at_s:.1f} s, {len(look)} rows: {words}")

    @property
    def _ends_a_command(self) -> bool:
        return self.disk is None and self.blow != "rank -9"

    def _now(self, life: Life) -> int | None:
        time.sleep(1.0)
        return life.process.poll()

    def _is_done(self) -> bool:
        events = self.sweep.events()
        finished = {e.run_id for e in events if e.kind is EventKind.FINISHED}
        failed = {e.run_id for e in failed_for_good(events)}
        return len(finished | failed) >= self.sweep.runs

    def _told(self, status: int | None, wall_s: float) -> Told:
        events = self.sweep.events()
        finished = [e.run_id for e in events if e.kind is EventKind.FINISHED]
        proposed = [e.run_id for e in events if e.kind is EventKind.PROPOSED]
        failures = failed_for_good(events)
        self.faults += [f"{e.run_id}: {e.boundary}: {e.message[:160]}" for e in failures]
        for at_s, since_s, seq, ended in self._pending:
            self.blows.append(
                Blow(at_s, seq, goes_on(events, since_s, seq, ended=ended is not None), ended)
            )
        ends = {*finished, *(e.run_id for e in failures)}
        return Told(
            blows=tuple(self.blows),
            runs=self.sweep.runs,
            finished=len(set(finished)),
            lost=sum(missing(look, events) for look in self.looks) + untold(self.texts, events),
            doubled=doubled(events),
            failed=len(failures),
            unended=len(set(proposed) - ends) + max(0, self.sweep.runs - len(set(proposed))),
            attempts=sum(e.kind is EventKind.STARTED and e.attempt > 0 for e in events),
            charged=charged(events),
            left=self.left,
            hung=self.hung,
            status=status,
            wall_s=wall_s,
            faults=tuple(self.faults),
        )
