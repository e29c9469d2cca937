"""Where a sweep stands, for `status` and `stop`: from its ledger and `live.json`, no cluster asked.

The ledger says what happened, `live.json` what the driver last saw its gangs do. What is left is an
estimate, and says so.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from paretoflow.core.errors import SweepNotFoundError
from paretoflow.core.status import RunStatus
from paretoflow.core.values import Cost, RunRecord
from paretoflow.engine.live import GangPhase, GangState, Live, read_live
from paretoflow.engine.state import SweepState
from paretoflow.engine.sweep import front_interval, read_spec, require_fronts
from paretoflow.ledger import open_ledger
from paretoflow.ledger.ledger import Ledger
from paretoflow.storage import Root, as_folder

SILENT_S = 120.0
"""Without a sign for so long, a driver is taken to be gone."""


@dataclass(frozen=True)
class Left:
    """An estimate of what a sweep still takes.

    Args:
        seconds: Wall-clock time.
        device_s: Device seconds.
    """

    seconds: float
    device_s: float


@dataclass(frozen=True)
class Standing:
    """A sweep at one moment.

    Args:
        spec: The resolved spec as plain JSON values.
        live: What its gangs did last; None where no driver ever wrote it.
        silent_s: Seconds since the driver's last sign.
        fronts: Number of front snapshots.
        interval: Of the hypervolume, 95 %.
    """

    spec: dict[str, Any]
    state: SweepState
    live: Live | None
    silent_s: float
    fronts: int
    interval: tuple[float, float]

    @property
    def gangs(self) -> tuple[GangState, ...]:
        """Return the gangs as last seen; none once the sweep has ended."""
        return () if self.live is None or self.state.closed else self.live.gangs

    @property
    def phase(self) -> str:
        """Return `ended`, `running`, `interrupted`, or `submitted` before any driver began."""
        if self.state.closed:
            return "ended"
        if self.state.seq < 0:
            return "submitted"
        if self.live is None:
            return "running or interrupted"
        return "running" if self.silent_s <= SILENT_S else "interrupted"


class StandingReader:
    """Looks at a sweep again and again; what it has read of the ledger it does not read twice.

    Args:
        root: Where the sweep lives.

    Raises:
        SweepNotFoundError: If no sweep lives there.
    """

    def __init__(self, root: Root) -> None:
        self._folder = as_folder(root)
        self._state = SweepState()
        self._interval = (0.0, 0.0)
        self._front_version = -1
        read_spec(self._folder)

    def look(self, now_s: float) -> Standing:
        """Return how it stands at a time, in seconds since the epoch.

        Raises:
            LedgerError: If storage failed.
            StorageError: If storage refused.
        """
        state, live = self._state, read_live(self._folder)
        ledger = self._ledger()
        fronts = ledger.fronts() if ledger else []
        state.apply(ledger.events(after=state.seq) if ledger else ())
        require_fronts(self._folder, fronts, state.seq)
        if state.front_version != self._front_version:
            self._front_version, self._interval = state.front_version, front_interval(state)
        # clocks of two machines differ: a sign from the future is one from now
        silent_s = max(0.0, now_s - live.time_s) if live else 0.0
        spec = read_spec(self._folder)
        return Standing(spec, state, live, silent_s, len(fronts), self._interval)

    def _ledger(self) -> Ledger | None:
        """Open the ledger; None before a driver has made it, as submitting writes only the spec."""
        try:
            return open_ledger(self._folder, writer=False)
        except SweepNotFoundError:
            return None


def left(standing: Standing) -> Left | None:
    """Estimate what is left: each run costs the mean of the finished ones, gangs stay as busy.

    None without a finished run. It is a bound from above where the sweep stops for another reason
    than its number of runs.
    """
    state, spec = standing.state, standing.spec
    done = [r.cost for r in state.runs.values() if r.status is RunStatus.FINISHED]
    if not done:
        return None
    total = sum(done, Cost())
    wall_s, device_s = total.wall_s / len(done), total.device_s / len(done)
    parts = _parts_left(standing, wall_s)
    parts += [1.0] * max(0, spec["stop"]["runs"] - len(state.runs))
    width = max(1, min(_gangs_at_work(standing), len(parts)))
    seconds = max(sum(parts) * wall_s / width, max(parts, default=0.0) * wall_s)
    return _bounded(Left(seconds, sum(parts) * device_s), standing)


def _parts_left(standing: Standing, wall_s: float) -> list[float]:
    """Return the share of each open run that is still to do, 0 to 1."""
    steps = standing.spec["method"]["steps"]
    at = {g.run_id: g.step for g in standing.gangs if g.run_id and g.step >= 0}
    parts = []
    for run in standing.state.open_runs():
        done = at[run.run_id] / steps if run.run_id in at else run.cost.wall_s / max(wall_s, 1e-9)
        parts.append(1.0 - min(1.0, done))
    return parts


def _gangs_at_work(standing: Standing) -> int:
    if not standing.gangs:
        return int(standing.spec["engine"]["workers"])
    return sum(g.phase is not GangPhase.WAITING for g in standing.gangs)


def _bounded(estimate: Left, standing: Standing) -> Left:
    """Cut an estimate where `stop.hours` or `stop.cost` ends the sweep before."""
    stop, price = standing.spec["stop"], standing.spec["engine"]["price"]
    share = 1.0
    if stop["hours"] is not None and estimate.seconds > 0:
        rest_s = max(0.0, stop["hours"] * 3600 - standing.state.elapsed_s())
        share = min(share, rest_s / estimate.seconds)
    if stop["cost"] is not None and price and estimate.device_s > 0:
        rest = max(0.0, stop["cost"] * 3600 / price - standing.state.cost.device_s)
        share = min(share, rest / estimate.device_s)
    return Left(estimate.seconds * share, estimate.device_s * share)


def facts(standing: Standing) -> dict[str, Any]:
    """Return a standing as plain JSON values."""
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
        "gangs": [_gang_facts(gang, standing) for gang in standing.gangs],
        "utilisation": None if live is None else round(live.utilisation, 4),
        "failures": {b: boundaries.count(b) for b in sorted(set(boundaries))},
        "failed_attempts": dict(sum(state.failures.by_run.values(), Counter[str]())),
        "evaluations": len(state.evaluations),
        "front": state.front_size,
        "hypervolume": state.hypervolume,
        "hypervolume_ci": list(standing.interval),
        "further_run": None if outlook is None else asdict(outlook),
        "snapshots": standing.fronts,
        "elapsed_s": round(state.elapsed_s(), 3),
        "device_s": round(state.cost.device_s, 3),
        "cost": price * state.cost.device_s / 3600,
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


def _gang_facts(gang: GangState, standing: Standing) -> dict[str, Any]:
    assert standing.live is not None
    now_s = standing.live.time_s + standing.silent_s
    return {
        "slot": gang.slot,
        "phase": gang.phase.value,
        "for_s": round(max(0.0, now_s - gang.since_s), 1),
        "run_id": gang.run_id,
        "attempt": gang.attempt,
        "step": gang.step if gang.step >= 0 else None,
        "steps": standing.spec["method"]["steps"],
        "where": list(gang.where),
        "reason": gang.reason,
        "doing": "" if gang.doing is None else str(gang.doing),
    }
