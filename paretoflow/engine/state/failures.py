"""The failures of a sweep's runs as its events tell them, and whether they are one and the same."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from paretoflow.core.status import Boundary
from paretoflow.ledger.tables import Event

AGAIN = "again"
"""Key in the payload of CLOSED: the runs that the next driver makes again."""

_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""")
_NAME = re.compile(r"\S{1,32}")
_DIFFERING = (
    (r"the answer was .*", "<text>"),
    (r"\br\d+-[0-9a-f]{6}(?:-a\d+)?(?:-s\d+)?(?:-c\d+)?\b", "<run>"),
    (r"(?:\b[a-z][a-z0-9+.-]*:/|~|\.\.?|\b[A-Za-z]:)?[/\\][^\s'\",;:()\[\]{}<>]+", "<path>"),
    (r"\bprompt [^\s:;,()]+", "prompt <id>"),
    (r"(?i)\b0x[0-9a-f]+\b|\b(?=[0-9a-f-]*\d)[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b", "<id>"),
    (r"(?i)[-+]?(?:\d+(?:[.,_]\d+)*(?:e[-+]?\d+)?|\b(?:nan|inf)\b)", "<n>"),
)
"""What differs between two failures of one cause: names, places, answers, counts."""
_LONGEST = 2000
"""Characters of a message that are compared."""


def pattern_of(message: str) -> str:
    """Return a failure's message without what differs from run to run.

    By hand: `run r0003-9f31aa: step 12: /tmp/a/b is full` gives `run <run>: step <n>: <path> is
    full`. A short word in quotation marks stays: it is the name of a thing.
    """
    message = _QUOTED.sub(_name_or_text, message[:_LONGEST])
    for differing, instead in _DIFFERING:
        message = re.sub(differing, instead, message)
    return " ".join(message.split())


def _name_or_text(quoted: re.Match[str]) -> str:
    return quoted[0] if _NAME.fullmatch(quoted[0][1:-1]) else "<text>"


@dataclass(frozen=True)
class Streak:
    """Runs that failed for good one after another, all alike, and no run that ended well between.

    Args:
        boundary: Where they failed.
        message: Of the last one.
        details: Its traceback; empty when there is none.
        run_ids: The runs, oldest failure first.
        code: Code of the last error; empty where it was none of ours, or by an earlier version.
    """

    boundary: Boundary | None = None
    message: str = ""
    details: str = ""
    run_ids: tuple[str, ...] = ()
    code: str = ""

    def __len__(self) -> int:
        return len(self.run_ids)

    def with_failure(self, event: Event) -> Streak:
        """Return the streak after a further run has failed for good: a new one if it differs."""
        boundary = Boundary(event.boundary)
        alike = (boundary, pattern_of(event.message)) == (self.boundary, pattern_of(self.message))
        before = self.run_ids if alike else ()
        details, code = event.payload.get("details", ""), event.payload.get("code", "")
        return Streak(boundary, event.message, details, (*before, event.run_id), code)


@dataclass
class Failures:
    """What failed.

    Attributes:
        by_run: Failed attempts of each run, by cause.
        attempts: Every (run, attempt) that failed, and when that was recorded.
        streak: The runs that failed alike and last. A driver that takes over after a crash finds it
            as it was; one that goes on after a proper end begins anew.
        last: The streak that the last failure made or continued, whatever came after it.
        again: The runs that the next session makes again.
    """

    by_run: dict[str, Counter[str]] = field(default_factory=dict)
    attempts: dict[tuple[str, int], float] = field(default_factory=dict)
    streak: Streak = Streak()
    last: Streak = Streak()
    again: tuple[str, ...] = ()
    _settled: dict[str, Counter[str]] = field(default_factory=dict)

    def of(self, run_id: str, cause: str) -> int:
        """Return how many attempts of a run failed by a cause, since it was last made again."""
        settled = self._settled.get(run_id, Counter())
        return self.by_run.get(run_id, Counter())[cause] - settled[cause]

    def failed(self, event: Event, *, final: bool) -> None:
        """Take in a failed attempt."""
        self.by_run.setdefault(event.run_id, Counter())[event.payload.get("cause", "error")] += 1
        self.attempts[event.run_id, event.attempt] = event.time_s
        if final:
            self.streak = self.last = self.streak.with_failure(event)

    def ended_well(self) -> None:
        """Take in that a run finished, or was good enough to be compared with others."""
        self.streak = Streak()

    def closed(self, event: Event) -> None:
        """Take in the end of a driver's session: the next one counts anew."""
        self.streak = Streak()
        self.again = tuple(event.payload.get(AGAIN, ()))

    def opened(self) -> tuple[str, ...]:
        """Return the runs that a new session makes again, their failures settled."""
        again, self.again = self.again, ()
        for run_id in again:
            self._settled[run_id] = self.by_run.get(run_id, Counter()).copy()
        return again
