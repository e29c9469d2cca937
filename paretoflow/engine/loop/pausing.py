"""Pausing and promotion of runs at rungs: the driver's use of successive halving.

Every verdict follows from the ledger: a run is compared with the checkpoints up to its own, in the
order of the ledger, so that another driver reaches the same verdict. (Where a checkpoint was
evaluated again since, the other driver uses the better scores.) The memory of this class only saves
time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict

from paretoflow.core.status import RunStatus
from paretoflow.core.values import History, LaunchKind, Proposal
from paretoflow.engine.messages import Backend
from paretoflow.engine.state.events import paused
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.front.dominance import nondominated
from paretoflow.front.halving import ahead, halving_order, quota, rung_steps
from paretoflow.front.selection import normalised_gains
from paretoflow.ledger.tables import Event
from paretoflow.spec.sweep import SweepSpec

_TRAINED = (LaunchKind.WEIGHTED, LaunchKind.CONSTRAINED)
_Rung = tuple[int, bool]
"""Number of a rung, and whether its runs started from the base."""


class Rungs:
    """Multi-objective successive halving over one sweep; does nothing without `stop.rungs`.

    A run is on the rungs whose steps its checkpoints have reached. It is judged at the last of
    them, by its first checkpoint there, among the runs that started as it did: from the base, or
    from a parent. It continues if it is among the first of `front.halving.halving_order`, one in
    `reduction`, or if no point of the front is ahead of it by more than noise. Otherwise it is
    paused. A paused run continues once either condition holds, given all later measurements; the
    rung at which it was paused does not pause it again. Merges, and runs whose artifact serves many
    preferences, are on no rung.

    References:
        Schmucker et al. (2021), Multi-objective asynchronous successive halving, arXiv 2106.12639.
        Departures: a run among the first continues without a pause, where the paper halts each at
        every rung until it is promoted; the quota is rounded up; nothing is drawn at random, so a
        verdict depends only on earlier measurements; runs on the front continue beyond the quota;
        runs are compared with runs that started as they did.
    """

    def __init__(self, spec: SweepSpec) -> None:
        rungs, method = spec.stop.rungs, spec.method
        first = rungs and (rungs.first or method.checkpoint_every)
        self._reduction = rungs.reduction if rungs else 1
        self._steps = rung_steps(first, self._reduction, method.steps) if first else ()
        self._asked: set[tuple[str, int]] = set()
        self._forget()

    def _forget(self, state: SweepState | None = None) -> None:
        self._state = state
        self._seen = 0
        self._members: defaultdict[_Rung, list[int]] = defaultdict(list)
        self._levels: dict[str, int] = {}
        self._judged_at: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._verdicts: dict[tuple[str, int], str] = {}
        self._risen: tuple[int, tuple[str, ...]] = (-1, ())

    def set_aside(self, state: SweepState, backend: Backend) -> list[Event]:
        """Pause the runs that should not continue.

        Returns:
            Rows to commit for runs that only wait for another attempt; running attempts write their
            own rows.
        """
        rows = []
        for run_id, why in self.outdone(state).items():
            run = state.runs[run_id]
            attempt = (run_id, run.attempt)
            if run.status is RunStatus.PENDING:
                step = state.evaluations[self._last[run_id]].step
                rows.append(paused(*attempt, backend.now(), why, step))
            elif attempt not in self._asked:
                self._asked.add(attempt)
                backend.suspend(*attempt, why)
        return rows

    def outdone(self, state: SweepState) -> dict[str, str]:
        """Return the open runs to pause at the rung that they reached, each with its reason."""
        if not self._steps:
            return {}
        self._take_in(state)
        found = {}
        for run in state.open_runs():
            row = self._judged_at.get(run.run_id, -1)
            if row >= state.resumed_at.get(run.run_id, 0):
                key = (run.run_id, row)
                if key not in self._verdicts:
                    self._verdicts[key] = self._verdict(state, *key)
                if self._verdicts[key]:
                    found[run.run_id] = self._verdicts[key]
        return found

    def risen(self, state: SweepState) -> tuple[str, ...]:
        """Return the paused runs that should continue, in the order in which they were proposed."""
        if not self._steps or not state.paused:
            return ()
        self._take_in(state)
        if self._risen[0] != state.seq:
            self._risen = (state.seq, self._all_risen(state))
        return self._risen[1]

    def _all_risen(self, state: SweepState) -> tuple[str, ...]:
        history = state.history()
        first: dict[_Rung, list[int]] = {}
        found = []
        for run_id in (each for each in state.runs if each in state.paused):
            rung = self._rung(run_id, state)
            if rung not in first:
                first[rung] = self._order(history, self._members[rung])[1]
            if self._judged_at[run_id] in first[rung] or not _rivals(
                history, self._last[run_id], history.front.tolist()
            ):
                found.append(run_id)
        return tuple(found)

    def _take_in(self, state: SweepState) -> None:
        """Add new rows to the rungs that they reach."""
        if state is not self._state:
            self._forget(state)
        for number in range(self._seen, len(state.evaluations)):
            row = state.evaluations[number]
            run = state.runs.get(row.run_id)
            if run is None or row.condition is not None or run.proposal.kind not in _TRAINED:
                continue
            before = self._levels.get(run.run_id, 0)
            level = bisect_right(self._steps, row.step)
            for rung in range(before, level):
                self._members[rung, _from_base(run.proposal)].append(number)
            if level > before:
                self._levels[run.run_id], self._judged_at[run.run_id] = level, number
            self._last[run.run_id] = number
        self._seen = len(state.evaluations)

    def _rung(self, run_id: str, state: SweepState) -> _Rung:
        return self._levels[run_id] - 1, _from_base(state.runs[run_id].proposal)

    def _order(self, history: History, members: list[int]) -> tuple[list[int], list[int]]:
        """Return a rung's rows, the best first, and the first of them, which continue."""
        shares = normalised_gains(history.gains[members], history.problem)
        order = [members[i] for i in halving_order(shares)]
        return order, order[: quota(len(members), self._reduction)]

    def _verdict(self, state: SweepState, run_id: str, row: int) -> str:
        """Return the reason to pause a run at a row, given the rows up to it; empty for none."""
        history = state.history()
        known = nondominated(history.gains[: row + 1]).nonzero()[0].tolist()
        rivals = _rivals(history, row, known)
        if not rivals:
            return ""
        rung = self._rung(run_id, state)
        members = self._members[rung]
        order, first = self._order(history, members[: bisect_right(members, row)])
        if row in first:
            return ""
        place = f"number {order.index(row) + 1} of {len(order)} runs at step {self._steps[rung[0]]}"
        best = history.snapshot_ids[rivals[0]]
        return f"{place}, of which {len(first)} go on; {best} dominates it by more than noise"


def _from_base(proposal: Proposal) -> bool:
    return proposal.parent is None


def _rivals(history: History, row: int, front: list[int]) -> list[int]:
    """Return the rows of a front that are clearly ahead of a row."""
    gains, stderr = history.gains, history.stderr
    found = ahead(gains[row], stderr[row], gains[front], stderr[front])
    return [front[i] for i in found]
