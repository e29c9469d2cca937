"""The status of a sweep, for `status` and `stop`, read from its ledger and `live.json` alone.

The ledger holds past events, `live.json` the states of the worker groups that the driver last saw.
The remaining work is an estimate, and is labelled as such. A driver counts as alive if its writes
change between two reads: its clock may differ from this machine's, unless it runs here.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from paretoflow.core.cost import Cost
from paretoflow.core.errors import SweepNotFoundError
from paretoflow.core.status import RunStatus
from paretoflow.core.values import RunRecord
from paretoflow.engine.live import EVERY_S, GroupPhase, GroupState, Live, read_live
from paretoflow.engine.read.notes import notes_of
from paretoflow.engine.read.stored_spec import read_spec, whole_spec
from paretoflow.engine.read.sweep import require_fronts
from paretoflow.engine.read.worth import front_interval
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.front.outcomes import outcome_facts
from paretoflow.ledger import open_ledger
from paretoflow.ledger.ledger import Ledger
from paretoflow.storage import Root, as_folder

SILENT_S = 120.0
"""A driver without a sign for so many seconds is considered gone."""
LOOK_AGAIN_S = EVERY_S + 1.0
"""Seconds within which a working driver has written again."""


@dataclass(frozen=True)
class Left:
    """An estimate of a sweep's remaining time and cost.

    Args:
        seconds: Wall-clock seconds.
        device_s: Device seconds.
    """

    seconds: float
    device_s: float


@dataclass(frozen=True)
class SweepStatus:
    """The status of a sweep at one moment.

    Args:
        spec: The resolved spec as plain JSON values.
        live: Last states of its worker groups; None where no driver wrote them, or they are
            damaged.
        silent_s: Seconds since the driver's last sign; a guess unless `sure`.
        fronts: Number of front snapshots.
        interval: 95 % interval of the hypervolume.
        sure: Whether a single clock measures the driver's silence: it runs on this machine, or this
            reader has seen it write.
        stood_still_s: Seconds for which this reader has seen no sign of the driver.
    """

    spec: dict[str, Any]
    state: SweepState
    live: Live | None
    silent_s: float
    fronts: int
    interval: tuple[float, float]
    sure: bool = True
    stood_still_s: float = 0.0

    @property
    def groups(self) -> tuple[GroupState, ...]:
        """Return the worker groups as last seen; none once the sweep has ended."""
        return () if self.live is None or self.state.closed else self.live.groups

    @property
    def phase(self) -> str:
        """Return `ended`, `running`, `interrupted`, or `submitted` before any driver began."""
        if self.state.closed:
            return "ended"
        if self.state.seq < 0:
            return "submitted"
        if self.live is None:
            return "running or interrupted"
        if self.silent_s > SILENT_S:
            return "interrupted"
        unseen = not self.sure and self.stood_still_s >= LOOK_AGAIN_S
        return "running or interrupted" if unseen else "running"


class StandingReader:
    """Reads the status of a sweep repeatedly, and each row of the ledger only once.

    Args:
        root: Folder of the sweep.

    Raises:
        SweepNotFoundError: If the folder holds no sweep.
    """

    def __init__(self, root: Root) -> None:
        self._folder = as_folder(root)
        self._state = SweepState()
        self._interval = (0.0, 0.0)
        self._front_version = -1
        self._live: Live | None = None
        self._sign_s = self._first_s = self._looked_s = 0.0
        self._sure = False
        read_spec(self._folder)

    def look(self, now_s: float) -> SweepStatus:
        """Return the status at a time by this machine's clock, in seconds since the epoch.

        Raises:
            LedgerError: If storage failed.
            StorageError: If storage refused.
        """
        state, live = self._state, self._listen(now_s)
        ledger = self._ledger()
        fronts = ledger.fronts() if ledger else []
        state.apply(ledger.events(after=state.seq) if ledger else ())
        require_fronts(self._folder, fronts, state.seq)
        if state.front_version != self._front_version:
            self._front_version, self._interval = state.front_version, front_interval(state)
        spec = whole_spec(self._folder, read_spec(self._folder))
        silent_s = max(0.0, now_s - self._sign_s) if live else 0.0
        still_s = max(0.0, now_s - self._first_s) if live else 0.0
        return SweepStatus(
            spec, state, live, silent_s, len(fronts), self._interval, self._sure, still_s
        )

    def look_twice(
        self, now: Callable[[], float] = time.time, wait: Callable[[float], object] = time.sleep
    ) -> SweepStatus:
        """Return the status; read it twice where one read cannot show if the driver is alive."""
        standing = self.look(now())
        if standing.sure or standing.live is None or standing.state.closed:
            return standing
        wait(LOOK_AGAIN_S)
        again = self.look(now())
        return standing if again.phase == standing.phase == "interrupted" else again

    def _listen(self, now_s: float) -> Live | None:
        """Return the driver's last `live.json`; record its time by this machine's clock."""
        live = read_live(self._folder)
        if live is not None and live != self._live:
            here = live.driver.rpartition(":")[0] == socket.gethostname()
            seen = self._live is not None
            # the first sign has only its driver's time, and a time in the future counts as now; a
            # later sign arrived between two reads
            told_s = min(now_s, live.time_s) if here or not seen else now_s
            self._sign_s = max(told_s, min(self._looked_s, now_s)) if seen else told_s
            self._sure, self._first_s, self._live = here or seen, now_s, live
        self._looked_s = now_s
        return live

    def _ledger(self) -> Ledger | None:
        """Open the ledger; None before a driver has made it, as `submit` writes only the spec."""
        try:
            return open_ledger(self._folder, writer=False)
        except SweepNotFoundError:
            return None


def left(standing: SweepStatus) -> Left | None:
    """Estimate the remaining time and cost from the mean cost of finished runs.

    The worker groups are assumed to stay as busy as now. None without a finished run. The estimate
    is an upper bound where the sweep stops for another reason than its number of runs.
    """
    state, spec = standing.state, standing.spec
    done = [r.cost for r in state.runs.values() if r.status is RunStatus.FINISHED]
    if not done:
        return None
    total = sum(done, Cost())
    wall_s, device_s = total.wall_s / len(done), total.device_s / len(done)
    parts = _parts_left(standing, wall_s)
    parts += [1.0] * max(0, spec["stop"]["runs"] - len(state.runs))
    width = max(1, min(_groups_at_work(standing), len(parts)))
    seconds = max(sum(parts) * wall_s / width, max(parts, default=0.0) * wall_s)
    return _bounded(Left(seconds, sum(parts) * device_s), standing)


def _parts_left(standing: SweepStatus, wall_s: float) -> list[float]:
    """Return the share of each open run that remains, 0 to 1."""
    steps = standing.spec["method"]["steps"]
    at = {g.run_id: g.step for g in standing.groups if g.run_id and g.step >= 0}
    parts = []
    for run in standing.state.open_runs():
        done = at[run.run_id] / steps if run.run_id in at else run.cost.wall_s / max(wall_s, 1e-9)
        parts.append(1.0 - min(1.0, done))
    return parts


def _groups_at_work(standing: SweepStatus) -> int:
    if not standing.groups:
        engine = standing.spec["engine"]  # `workers` in sweeps of earlier versions
        return int(engine.get("worker_groups", engine.get("workers")))
    return sum(g.phase is not GroupPhase.WAITING for g in standing.groups)


def _bounded(estimate: Left, standing: SweepStatus) -> Left:
    """Limit an estimate to `stop.hours` and `stop.cost`."""
    stop, price = standing.spec["stop"], standing.spec["engine"]["price"]
    share = 1.0
    if stop["hours"] is not None and estimate.seconds > 0:
        backoff_s = max(0.0, stop["hours"] * 3600 - standing.state.elapsed_s())
        share = min(share, backoff_s / estimate.seconds)
    if stop["cost"] is not None and price and estimate.device_s > 0:
        left_over = stop["cost"] - standing.state.judged
        rest = max(0.0, left_over * 3600 / price - standing.state.cost.device_s)
        share = min(share, rest / estimate.device_s)
    return Left(estimate.seconds * share, estimate.device_s * share)


def facts(standing: SweepStatus) -> dict[str, Any]:
    """Return a status as plain JSON values."""
    state, spec, live = standing.state, standing.spec, standing.live
    boundaries = [r.boundary.value for r in state.runs.values() if r.boundary is not None]
    price = spec["engine"]["price"]
    rest, outlook = left(standing), state.outlook()
    return {
        "sweep": spec["name"],
        "state": standing.phase,
        "why": state.closed,
        "runs": {
            "budget": spec["stop"]["runs"],
            "finished": state.finished,
            "failed": state.failed,
            "paused": len(state.paused),
            "pending": len(state.open_runs()),
        },
        "in_progress": [_run_facts(run) for run in state.open_runs()],
        "driver": None
        if live is None
        else {"where": live.driver, "epoch": live.epoch, "silent_s": round(standing.silent_s, 1)},
        "last_sign_s": None if live is None else live.time_s,
        "sure": standing.sure,
        "worker_groups": [_group_facts(group, standing) for group in standing.groups],
        "utilisation": None if live is None else round(live.utilisation, 4),
        "failures": {b: boundaries.count(b) for b in sorted(set(boundaries))},
        "failed_attempts": dict(sum(state.failures.by_run.values(), Counter[str]())),
        "evaluations": len(state.evaluations),
        "data": {**state.data_facts.to_dict(), "lines": list(state.data_facts.lines())},
        "front": state.front_size,
        "hypervolume": state.hypervolume,
        "hypervolume_ci": list(standing.interval),
        "notes": list(notes_of(state)),
        "constrained": outcome_facts(state.problem, state.runs.values(), state.evaluations),
        "further_run": None if outlook is None else asdict(outlook),
        "snapshots": standing.fronts,
        "changes": [{**change.to_dict(), "text": str(change)} for change in state.changes],
        "elapsed_s": round(state.elapsed_s(), 3),
        "device_s": round(state.cost.device_s, 3),
        "cost": price * state.cost.device_s / 3600 + state.judged,
        "judged": state.judged,
        "tokens": state.cost.tokens,
        "left": None if rest is None else _left_facts(rest, price),
    }


def _run_facts(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "status": run.status.value,
        "attempt": run.attempt,
        "reason": run.proposal.reason,
    }


def _left_facts(rest: Left, price: float) -> dict[str, Any]:
    return {
        "seconds": round(rest.seconds, 1),
        "device_s": round(rest.device_s, 1),
        "cost": price * rest.device_s / 3600,
    }


def _group_facts(group: GroupState, standing: SweepStatus) -> dict[str, Any]:
    assert standing.live is not None
    now_s = standing.live.time_s + standing.silent_s
    return {
        "slot": group.slot,
        "phase": group.phase.value,
        "for_s": round(max(0.0, now_s - group.since_s), 1),
        "run_id": group.run_id,
        "attempt": group.attempt,
        "step": group.step if group.step >= 0 else None,
        "steps": standing.spec["method"]["steps"],
        "where": list(group.where),
        "reason": group.reason,
        "doing": "" if group.doing is None else str(group.doing),
    }
