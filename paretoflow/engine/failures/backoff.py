"""The pauses of worker groups after failures of a disk, a network or storage."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from paretoflow.engine.live import GroupPhase, GroupState
from paretoflow.engine.messages import Failure

FIRST_S = 5.0
LONGEST_S = 300.0


def backoff_s(failures: int) -> float:
    """Return the pause of a worker group after a number of such failures in a row, at least one.

    By hand: 5, 10, 20, 40, … seconds, at most five minutes.
    """
    return min(LONGEST_S, FIRST_S * 2.0 ** min(failures - 1, 30))


@dataclass(frozen=True)
class Backoff:
    """The pause of a worker group, which takes no run meanwhile.

    Args:
        why: Description of the last failure.
        since_s: Time of the first failure in the row.
        until_s: Time of the next try.
        failures: Number of failures in a row.
    """

    why: str
    since_s: float
    until_s: float
    failures: int


@dataclass
class Backoffs:
    """The pauses of worker groups, by slot: a replacement of a group inherits its pause.

    All times are from one clock, any.
    """

    _backoffs: dict[int, Backoff] = field(default_factory=dict)

    def ended(self, group: GroupState, failure: Failure | None, now_s: float) -> Backoff | None:
        """Record the end of a group's run; return the pause that the group needs, or None.

        Args:
            group: The group, with its nodes.
            failure: Failure of the run; None if it did not fail.
            now_s: Current time.
        """
        if failure is None or not failure.outage:
            self._backoffs.pop(group.slot, None)
            return None
        why = f"{failure.outage} (node {', '.join(group.where)})" if group.where else failure.outage
        before = self._backoffs.get(group.slot)
        failures = before.failures + 1 if before else 1
        since_s = before.since_s if before else now_s
        rest = Backoff(why, since_s, now_s + backoff_s(failures), failures)
        self._backoffs[group.slot] = rest
        return rest

    def shown(self, group: GroupState, now_s: float) -> GroupState:
        """Return the state of a group, with its pause where it would be idle."""
        rest = self.of(group.slot, now_s)
        if rest is None or group.phase is not GroupPhase.IDLE:
            return group
        return replace(group, phase=GroupPhase.WAITING, since_s=rest.since_s, reason=rest.why)

    def of(self, slot: int, now_s: float) -> Backoff | None:
        """Return a group's pause; None where it may take a run."""
        rest = self._backoffs.get(slot)
        return rest if rest is not None and now_s < rest.until_s else None
