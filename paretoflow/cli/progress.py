"""Live progress of a sweep on a terminal; elsewhere plain lines, one per event."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from paretoflow.cli.paces import AtWork, Paces, duration
from paretoflow.core.data_facts import DataFacts
from paretoflow.core.shown import shown
from paretoflow.core.status import RunStatus
from paretoflow.core.values import RunRecord
from paretoflow.spec.sweep import SweepSpec

COUNT_EVERY_S = 20.0
"""Shortest time between two plain lines with a count."""
_ENDED = (RunStatus.FINISHED, RunStatus.FAILED)


class WorkStage(Protocol):
    """Progress of the work before the first run; printed as text."""

    @property
    def done(self) -> int:
        """Return the finished amount."""
        ...

    @property
    def of(self) -> int:
        """Return the total amount."""
        ...


class GroupProgress(AtWork, Protocol):
    """The part of a worker group's state that is shown."""

    @property
    def doing(self) -> WorkStage | None:
        """Return the progress of the work before the first run; None if unknown."""
        ...


class ShownState(Protocol):
    """The part of a sweep's state that is shown."""

    finished: int
    failed: int
    data_facts: DataFacts

    @property
    def runs(self) -> dict[str, RunRecord]:
        """Return every run by id."""
        ...

    @property
    def hypervolume(self) -> float:
        """Return the hypervolume of the front."""
        ...

    @property
    def front_size(self) -> int:
        """Return the number of points on the front."""
        ...


class ProgressLines:
    """Shows runs, front size, hypervolume and remaining time.

    Use it as a context manager and call it with each new state.
    """

    def __init__(self, spec: SweepSpec, console: Console) -> None:
        self._spec = spec
        self._console = console
        self._started = time.monotonic()
        self._first: int | None = None
        self._training_since: float | None = None
        self._note = ""
        self._state: ShownState | None = None
        self._doing: WorkStage | None = None
        self._groups: Sequence[GroupProgress] = ()
        self._paces = Paces(spec.method.steps)
        self._counted_s = self._started
        self._facts = 0
        self._shown: dict[str, tuple[RunStatus, int]] = {}
        self._live = (
            Live(console=console, refresh_per_second=4, transient=True)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> ProgressLines:
        """Start the live display."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the live display and restore the terminal."""
        if self._live:
            self._live.stop()

    def __call__(self, state: ShownState, note: str) -> None:
        """Update from a state; `note` names a stage before the first run."""
        self._state = state
        if self._first is None:
            self._first = self._begin(state)
        told = list(state.data_facts.lines())
        for line in told[self._facts :]:
            self._say(f"data: {line}")
        self._facts = len(told)
        if state.runs and self._training_since is None:
            self._training_since = time.monotonic()
        if note and note != self._note:
            self._note = note
            self._say(f"{note} …")
        for run in state.runs.values():
            mark = (run.status, run.attempt)
            if self._shown.get(run.run_id) != mark:
                self._shown[run.run_id] = mark
                self._say(self._line(run, state))
        if self._live:
            self._live.update(self._panel(state))

    def groups(self, groups: Sequence[GroupProgress]) -> None:
        """Update from the worker groups: show their steps on a terminal, else print counts.

        The counts are of the work before the first run.
        """
        self._groups = groups
        doing = next((g.doing for g in groups if g.doing is not None and g.doing.of), None)
        if doing is not None and doing != self._doing:
            self._doing = doing
            self._count(doing)
        if self._live:
            self._live.update(self._panel(self._state) if self._state else str(doing or ""))

    def _count(self, doing: WorkStage) -> None:
        if self._live:
            return
        if doing.done == doing.of or time.monotonic() - self._counted_s >= COUNT_EVERY_S:
            self._counted_s = time.monotonic()
            self._say(f"{doing}")

    def _begin(self, state: ShownState) -> int:
        """Record the runs ended by earlier sessions, without printing them; return their number."""
        ended = [r for r in state.runs.values() if r.status in _ENDED]
        self._shown = {r.run_id: (r.status, r.attempt) for r in ended}
        if state.runs:
            self._say(f"continuing: {len(ended)} of {self._spec.stop.runs} runs ended before")
        return len(ended)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _line(self, run: RunRecord, state: ShownState) -> str:
        done = f"[{state.finished + state.failed}/{self._spec.stop.runs}]"
        if run.status is RunStatus.FINISHED:
            ending = (
                f"front {state.front_size}, hypervolume {state.hypervolume:.4g}{self._left(state)}"
            )
            return f"{done} {run.run_id} finished in {duration(run.cost.wall_s)}: {ending}"
        if run.status is RunStatus.FAILED:
            return f"{done} {run.run_id} failed ({run.boundary}): {run.message}"
        if run.status is RunStatus.PAUSED:
            return f"{done} {run.run_id} paused: {run.message}"
        if run.status is RunStatus.RUNNING:
            again = f" (attempt {run.attempt + 1})" if run.attempt else ""
            return f"{done} {run.run_id} started{again}: {run.proposal.reason}"
        after = f" after a failure ({run.boundary}): {run.message}" if run.message else ""
        return f"{done} {run.run_id} {run.status}{after}"

    def _left(self, state: ShownState) -> str:
        """Estimate the remaining time from the pace of the runs that this session ended."""
        ended = state.finished + state.failed - (self._first or 0)
        left = self._spec.stop.runs - state.finished - state.failed
        if ended <= 0 or left <= 0 or self._training_since is None:
            return ""
        pace = (time.monotonic() - self._training_since) / ended
        return f", about {duration(pace * left)} left"

    def _panel(self, state: ShownState) -> Group:
        total, ended = self._spec.stop.runs, state.finished + state.failed
        running = sum(r.status is RunStatus.RUNNING for r in state.runs.values())
        grid = Table.grid(padding=(0, 2))
        grid.add_row(
            ProgressBar(total=total, completed=ended, width=30),
            f"{ended}/{total} runs, {running} in training",
        )
        facts = f"front {state.front_size} points   hypervolume {state.hypervolume:.4g}"
        spent = f"   {duration(time.monotonic() - self._started)} so far{self._left(state)}"
        stage = (
            str(self._doing or self._note)
            if not state.runs
            else "Ctrl-C stops safely; the same command continues"
        )
        return Group(grid, Text(facts + spent), self._training(), Text(stage, style="dim"))

    def _training(self) -> Table:
        rows = Table.grid(padding=(0, 2))
        rows.add_column(no_wrap=True)
        for cells in self._paces.lines(self._groups, time.monotonic()):
            rows.add_row(*(Text(shown(cell)) for cell in cells))
        return rows
