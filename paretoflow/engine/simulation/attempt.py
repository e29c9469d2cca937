"""One attempt of a run on one simulated worker group."""

from __future__ import annotations

from dataclasses import dataclass, replace

from paretoflow.core.cost import Cost
from paretoflow.core.launch import Launch
from paretoflow.engine.messages import Report
from paretoflow.engine.simulation.fault_model import AttemptPlan
from paretoflow.engine.state.events import evaluated, finished, paused


@dataclass(eq=False)
class SimulatedAttempt:
    """The state of a simulated attempt.

    Attributes:
        began_s: Start of the attempt.
        charged_s: Start of the time that no checkpoint has charged yet.
        over: Whether it has ended; it produces no further result.
    """

    launch: Launch
    slot: int
    began_s: float
    charged_s: float
    course: AttemptPlan | None = None
    over: bool = False

    def has_ended(self) -> bool:
        """Check whether the attempt is over."""
        return self.over

    def result(self, index: int, now_s: float) -> Report:
        """Evaluate a checkpoint of the plan: the time since the last checkpoint is its cost."""
        course, launch = self.course, self.launch
        assert course is not None
        point = course.points[index]
        spent_s, self.charged_s = now_s - self.charged_s, now_s
        weights, known = launch.proposal.weights.values, launch.known
        found = replace(point.evaluation, cost=Cost(spent_s, spent_s), weights=weights)
        step = known.step if known else course.first + index + 1
        name = known.snapshot_id if known else ""
        row = evaluated(found.named(launch.run_id, launch.attempt, step, name), now_s)
        if index < len(course.points) - 1:
            return Report(launch.run_id, launch.attempt, (row,))
        ending = finished(launch.run_id, launch.attempt, now_s)
        return Report(launch.run_id, launch.attempt, (row, ending), ended=True)

    def aside(self, step: int, now_s: float, why: str) -> Report:
        """Pause the attempt at a step: the time since its last checkpoint is charged."""
        spent_s, self.charged_s = now_s - self.charged_s, now_s
        where = (self.launch.run_id, self.launch.attempt)
        row = paused(*where, now_s, why, step, Cost(spent_s, spent_s))
        return Report(*where, (row,), ended=True)
