"""Reports new evaluations of a sweep to its trackers, without stopping or slowing the sweep."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.ids import digest_of
from paretoflow.core.values import Problem, RunRecord
from paretoflow.ledger.tables import FrontRecord
from paretoflow.spec.sweep import SweepSpec
from paretoflow.spec.tracking import TrackerSpec
from paretoflow.storage import Folder
from paretoflow.tracking import Point, TrackedSweep, Tracker, build_tracker
from paretoflow.tracking.curves import LOOK_S, CurveFollower, CurveNews, CurveReader

CLOSE_S = 10.0
"""Longest wait in seconds for remaining reports, when a driver ends."""
QUEUE = 10_000
"""Number of messages that may wait for a slow tracker before the tracker is dropped."""

Guard = Callable[[Callable[[], None]], str | None]
"""Runs a function; returns the reason of a failure in one line, or None."""


class FollowedState(Protocol):
    """The reported part of a sweep's state."""

    evaluations: list[Evaluation]
    cost: Cost
    finished: int
    failed: int
    opened_at: float | None

    @property
    def runs(self) -> dict[str, RunRecord]:
        """Return every run by id."""
        ...

    @property
    def problem(self) -> Problem | None:
        """Return the frozen objectives; None before calibration."""
        ...

    @property
    def hypervolume(self) -> float:
        """Return the hypervolume of the front."""
        ...

    @property
    def front_size(self) -> int:
        """Return the number of points on the front."""
        ...


@dataclass(frozen=True)
class _News:
    """New evaluations from step `first` on; `totals` belong to the last of them."""

    first: int
    rows: tuple[Evaluation, ...]
    names: tuple[str, ...]
    opened_at: float
    totals: Mapping[str, float]

    def points(self, known: int) -> Iterator[Point]:
        """Yield the points from step `known` on."""
        last = self.first + len(self.rows) - 1
        for step, row in enumerate(self.rows, self.first):
            if step >= known:
                values = {
                    **_named("score", zip(self.names, row.scores, strict=True)),
                    **_named("stderr", zip(self.names, row.stderr, strict=True)),
                    **_named("diagnostic", row.diagnostics.items()),
                    **(self.totals if step == last else {}),
                }
                finite = {name: float(v) for name, v in values.items() if math.isfinite(v)}
                yield Point(step, self.opened_at + row.at_s, finite)


def _named(prefix: str, values: Iterable[tuple[str, float]]) -> dict[str, float]:
    return {f"{prefix}/{name}": value for name, value in values}


_Item = TrackedSweep | _News | Point | CurveNews | bool
"""Message to a tracker, in this order: the sweep; news and points; whether the sweep ended."""


class _Teller(threading.Thread):
    """Thread that passes messages from a queue to one tracker, until its first error.

    Each training run gets a tracker of its own, from the same spec.
    """

    def __init__(self, spec: TrackerSpec, guard: Guard) -> None:
        super().__init__(name=f"tracker-{spec.type}", daemon=True)
        self.tag = spec.type
        self.trouble: str | None = None
        self._spec = spec
        self._tracker = build_tracker(spec)
        self._guard = guard
        self._known = 0
        self._subject = TrackedSweep("", "", {})
        self._runs: dict[str, tuple[Tracker, int]] = {}
        self._queue: queue.Queue[_Item] = queue.Queue(QUEUE)

    def tell(self, item: _Item) -> None:
        """Put a message into the queue."""
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self.trouble = f"{QUEUE} messages wait for it"

    def run(self) -> None:
        """Pass on the messages of the queue."""
        last = False
        while not last and self.trouble is None:
            item = self._queue.get()
            last = isinstance(item, bool)
            if trouble := self._guard(partial(self._pass_on, item)):
                self.trouble = trouble

    def _pass_on(self, item: _Item) -> None:
        if isinstance(item, TrackedSweep):
            self._subject, self._known = item, self._tracker.open(item)
        elif isinstance(item, _News):
            points = list(item.points(self._known))
            if points:
                self._tracker.log(points)
        elif isinstance(item, Point):
            if item.step >= self._known:
                self._tracker.log([item])
        elif isinstance(item, CurveNews):
            self._pass_on_curve(item)
        else:
            for tracker, _ in self._runs.values():
                tracker.close(ended=item)
            self._tracker.close(ended=item)

    def _pass_on_curve(self, news: CurveNews) -> None:
        sweep = self._subject
        if news.name not in self._runs:
            tracker, facts = build_tracker(self._spec), {**sweep.facts, **news.facts}
            run = TrackedSweep(sweep.sweep, f"{sweep.key}-{news.name}", facts, news.name, sweep.key)
            self._runs[news.name] = tracker, tracker.open(run)
        tracker, known = self._runs[news.name]
        if points := [p for p in news.points if p.step >= known]:
            tracker.log(points)
        if news.over:
            tracker.close(ended=True)
            del self._runs[news.name]


class Trackers:
    """All trackers of a sweep; each in its own thread, dropped at its first error.

    Args:
        specs: Specs of the trackers, from the sweep's YAML.
        facts: Facts for searching.
        guard: Runs a tracker's work and returns the reason of a failure; the engine's only
            catch-all.
        warn: Called at most once for each tracker, in the thread of `follow` and `close`.
        folder: Folder of the sweep, in which its training curves are; None tracks none.

    Raises:
        PluginError: If no tracker has a tag.
        MissingExtraError: If a tracker's library is not installed.
    """

    def __init__(
        self,
        sweep: str,
        specs: Sequence[TrackerSpec],
        facts: Mapping[str, str],
        guard: Guard,
        warn: Callable[[str], None],
        folder: Folder | None = None,
    ) -> None:
        self._sweep = sweep
        self._folder = folder
        self._guard = guard
        self._curves: CurveFollower | None = None
        self._runs: dict[str, RunRecord] = {}
        self._look_at_s = 0.0
        self._facts = facts
        self._warn = warn
        self._told = 0
        self._opened_at: float | None = None
        self._tellers = [_Teller(spec, guard) for spec in specs]

    def follow(self, state: FollowedState) -> None:
        """Report new evaluations since the last call; cheap enough for every tick of a driver."""
        if not self._tellers or state.problem is None or state.opened_at is None:
            return
        if self._opened_at is None:
            self._open(state.opened_at)
            self._follow_curves(state)
        count = len(state.evaluations)
        if count > self._told:
            rows = tuple(state.evaluations[self._told :])
            news = _News(self._told, rows, state.problem.names, state.opened_at, totals_of(state))
            self._told = count
            self._tell(news)
        self._runs = state.runs
        if self._curves is not None and time.monotonic() >= self._look_at_s:
            self._look_at_s = time.monotonic() + LOOK_S
            self._curves.offer(dict(state.runs))
        self._drop_troubled()

    def _open(self, opened_at: float) -> None:
        self._opened_at = opened_at
        # a sweep that is deleted and started again under the same name is another one
        key = f"{self._sweep}-{digest_of([self._sweep, opened_at])[:10]}"
        for teller in self._tellers:
            teller.start()
        self._tell(TrackedSweep(self._sweep, key, self._facts))

    def _follow_curves(self, state: FollowedState) -> None:
        if self._folder is not None:
            reader = CurveReader(self._folder, dict(state.runs), self._tell)
            self._curves = CurveFollower(reader, self._guard)
            self._curves.start()

    def front(self, record: FrontRecord) -> None:
        """Report an accepted front, with its interval, at the step of the last evaluation."""
        if self._tellers and self._told:
            values = {
                "front/number": float(record.number),
                "front/hypervolume_low": record.hypervolume_low,
                "front/hypervolume_high": record.hypervolume_high,
            }
            self._tell(Point(self._told - 1, record.time_s, values))

    def close(self, *, ended: bool) -> None:
        """Let the trackers send remaining data, for at most `CLOSE_S` seconds in all.

        Args:
            ended: Whether the sweep's budget is used up.
        """
        if self._opened_at is None:
            return
        if self._curves is not None:
            self._curves.finish(dict(self._runs), CLOSE_S / 2)
            if self._curves.trouble is not None:
                self._warn(f"training curves were not tracked to the end: {self._curves.trouble}")
        self._tell(ended)
        share_s = CLOSE_S / max(1, len(self._tellers))
        for teller in self._tellers:
            teller.join(share_s)
            if teller.is_alive() and teller.trouble is None:
                teller.trouble = f"it did not take everything in {share_s:g} s"
        self._drop_troubled()

    def _tell(self, item: _Item) -> None:
        for teller in self._tellers:
            teller.tell(item)

    def _drop_troubled(self) -> None:
        for teller in self._tellers:
            if teller.trouble is not None:
                self._warn(f"tracking with {teller.tag} has ended: {teller.trouble}")
        self._tellers = [t for t in self._tellers if t.trouble is None]


def totals_of(state: FollowedState) -> dict[str, float]:
    """Return the reported values of the sweep as a whole."""
    return {
        "front/hypervolume": state.hypervolume,
        "front/size": float(state.front_size),
        "cost/wall_s": state.cost.wall_s,
        "cost/device_s": state.cost.device_s,
        "cost/tokens": float(state.cost.tokens),
        "runs/finished": float(state.finished),
        "runs/failed": float(state.failed),
    }


def facts_of(spec: SweepSpec) -> dict[str, str]:
    """Return facts for searching a sweep: objectives, model, data, method, proposer, seed."""
    return {
        "objectives": ", ".join(objective.name for objective in spec.objectives),
        "model": spec.model.path if spec.model.type == "pretrained" else spec.model.type,
        "data": spec.data.type,
        "method": spec.method.type,
        "proposer": spec.proposer.type,
        "seed": str(spec.seed),
    }
