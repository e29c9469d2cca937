"""Which worker groups rest after a disk, a network or storage has failed them, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from paretoflow.engine.live import GroupPhase, GroupState
from paretoflow.engine.messages import Failure

FIRST_S = 5.0
LONGEST_S = 300.0


def backoff_s(failures: int) -> float:
    """Return how long a worker group rests after so many such failures in a row, at least one.

    By hand: 5, 10, 20, 40, … seconds, at most five minutes.
    """
    return min(LONGEST_S, FIRST_S * 2.0 ** min(failures - 1, 30))


@dataclass(frozen=True)
class Backoff:
    """Why a worker group takes no run for a while.

    Args:
        why: What failed it last.
        since_s: Time of the first failure, the tries since included.
        until_s: Time of the next try.
        failures: In a row.
    """

    why: str
    since_s: float
    until_s: float
    failures: int


@dataclass
class Backoffs:
    """The worker groups that rest, by slot: whatever takes a group's place rests on.

    All times are of one clock, any.
    """

    _backoffs: dict[int, Backoff] = field(default_factory=dict)

    def ended(self, group: GroupState, failure: Failure | None, now_s: float) -> Backoff | None:
        """Take in how a group's run ended; return the rest that it needs, None where it needs none.

        Args:
            group: Which group, and where it is.
            failure: Why the run failed; None if it did not.
            now_s: Time.
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
        """Return what a group does, with its rest where it would be idle."""
        rest = self.of(group.slot, now_s)
        if rest is None or group.phase is not GroupPhase.IDLE:
            return group
        return replace(group, phase=GroupPhase.WAITING, since_s=rest.since_s, reason=rest.why)

    def of(self, slot: int, now_s: float) -> Backoff | None:
        """Return a group's rest; None where it may take a run."""
        rest = self._backoffs.get(slot)
        return rest if rest is not None and now_s < rest.until_s else None
