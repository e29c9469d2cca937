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
    """A driver's connection to a simulated cluster, which has no driver before or after.

    Args:
        cluster: Worker groups, storage and time.
    """

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster

    def adopt(self, epoch: int) -> list[Launch]:
        """Return no launch: no earlier driver has left any."""
        return []

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
        self._cluster.launch(launch)

    def drop(self, launch: Launch) -> None:
        """Do nothing: only an adopted attempt can be dropped."""

    def suspend(self, run_id: str, attempt: int, why: str) -> None:
        """Make an attempt save its state and report the pause."""
        self._cluster.suspend((run_id, attempt), why)

    def poll(self, timeout_s: float) -> list[Report]:
        """Jump to the next event, however far, and return all reports of that time."""
        return self._cluster.next_reports(timeout_s)

    def groups(self) -> Sequence[GroupState]:
        """Return the state of every worker group."""
        return self._cluster.states()

    def detach(self) -> None:
        """Do nothing: the simulation ends with its driver."""

    def close(self) -> None:
        """Stop all attempts."""
        self._cluster.stop_all()
