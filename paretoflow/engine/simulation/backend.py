"""A backend in virtual time over an oracle: simulates sweeps, stragglers and crashes in seconds.

The docstring of `engine.oracles` describes the protocol of an oracle.
"""

from __future__ import annotations

from collections.abc import Sequence

from paretoflow.core.launch import Launch
from paretoflow.core.values import BASE_RUN_ID, Problem
from paretoflow.engine.live import GroupState
from paretoflow.engine.messages import Report
from paretoflow.engine.oracles import AnyOracle, Oracle, Reevaluating
from paretoflow.engine.simulation.cluster import SimulatedCluster
from paretoflow.engine.simulation.fault_model import FaultModel
from paretoflow.engine.state.events import calibrated, evaluated
from paretoflow.ledger.tables import Event

__all__ = [
    "AnyOracle",
    "FaultModel",
    "Oracle",
    "Reevaluating",
    "SimulatedBackend",
    "SimulatedCluster",
]


class SimulatedBackend:
    """One driver's connection to a simulated cluster; the cluster outlives it.

    Args:
        cluster: Worker groups, storage and time, shared with the drivers before and after.
    """

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self._epoch = -1

    def adopt(self, epoch: int) -> list[Launch]:
        """Take over the cluster's worker groups; return their launches."""
        left = self._cluster.take_over(epoch)
        self._epoch = epoch
        return left

    def prepare(self, problem: Problem | None) -> list[Event]:
        """Return the calibration, and the base's evaluation if the oracle has one."""
        base = self._cluster.answers.of_base()
        if problem:
            return []
        rows = [calibrated(self._cluster.problem, self.now())]
        if base is not None:
            rows.append(evaluated(base.evaluation.named(BASE_RUN_ID, 0, 0), self.now()))
        return rows

    def now(self) -> float:
        """Return the virtual time."""
        return self._cluster.time.now_s

    def pause(self, seconds: float) -> None:
        """Advance virtual time."""
        self._cluster.advance(seconds)

    def free(self) -> int:
        """Return the number of idle worker groups."""
        return self._cluster.idle()

    def launch(self, launch: Launch) -> None:
        """Give an attempt to an idle worker group."""
        self._cluster.check(self._epoch)
        self._cluster.launch(launch)

    def drop(self, launch: Launch) -> None:
        """Stop an attempt without a report."""
        self._cluster.check(self._epoch)
        self._cluster.drop(launch)

    def suspend(self, run_id: str, attempt: int, why: str) -> None:
        """Make an attempt save its state and report the pause."""
        self._cluster.check(self._epoch)
        self._cluster.suspend((run_id, attempt), why)

    def poll(self, timeout_s: float) -> list[Report]:
        """Jump to the next event, however far, and return all reports of that time."""
        self._cluster.check(self._epoch)
        return self._cluster.next_reports(timeout_s)

    def groups(self) -> Sequence[GroupState]:
        """Return the state of every worker group."""
        return self._cluster.states()

    def detach(self) -> None:
        """Leave the worker groups running."""

    def close(self) -> None:
        """Let attempts save their state, and stop them; those of a newer driver are left alone."""
        if self._epoch >= self._cluster.epoch:
            self._cluster.stop_all()
