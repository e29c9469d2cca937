"""The failures of a sweep's runs, folded from its events; finds repeated equal failures."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from paretoflow.core.status import Boundary
from paretoflow.ledger.tables import Event

AGAIN = "again"
"""Key in the payload of CLOSED: the runs that the next driver repeats."""

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
"""Parts of messages that differ between failures of one cause: names, paths, answers, counts."""
_LONGEST = 2000
"""Number of characters of a message that are compared."""


def pattern_of(message: str) -> str:
    """Return a failure's message without the parts that differ from run to run.

    By hand: `run r0003-9f31aa: step 12: /tmp/a/b is full` gives `run <run>: step <n>: <path> is
    full`. A short word in quotation marks stays: it is a name.
    """
    message = _QUOTED.sub(_name_or_text, message[:_LONGEST])
    for differing, instead in _DIFFERING:
        message = re.sub(differing, instead, message)
    return " ".join(message.split())


def _name_or_text(quoted: re.Match[str]) -> str:
    return quoted[0] if _NAME.fullmatch(quoted[0][1:-1]) else "<text>"


@dataclass(frozen=True)
class Streak:
    """Consecutive final failures of runs that are all alike, with no successful run between them.

    Args:
        boundary: Boundary of the failures.
        message: Message of the last failure.
        details: Traceback of the last failure; empty when there is none.
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
        """Return the streak after another final failure: a new streak if the failure differs."""
        boundary = Boundary(event.boundary)
        alike = (boundary, pattern_of(event.message)) == (self.boundary, pattern_of(self.message))
        before = self.run_ids if alike else ()
        details, code = event.payload.get("details", ""), event.payload.get("code", "")
        return Streak(boundary, event.message, details, (*before, event.run_id), code)


@dataclass
class Failures:
    """The failed attempts and runs of a sweep.

    Attributes:
        by_run: Number of failed attempts of each run, by cause.
        attempts: Time of the failure of each failed (run, attempt).
        streak: The latest runs, if they failed alike. It survives a crash of the driver; after an
            orderly end of a session the count starts again.
        last: The streak that the last failure started or continued, whatever followed.
        again: The runs that the next session repeats.
    """

    by_run: dict[str, Counter[str]] = field(default_factory=dict)
    attempts: dict[tuple[str, int], float] = field(default_factory=dict)
    streak: Streak = Streak()
    last: Streak = Streak()
    again: tuple[str, ...] = ()
    _settled: dict[str, Counter[str]] = field(default_factory=dict)

    def of(self, run_id: str, cause: str) -> int:
        """Return the number of attempts of a run that failed by a cause, since its last repeat."""
        settled = self._settled.get(run_id, Counter())
        return self.by_run.get(run_id, Counter())[cause] - settled[cause]

    def failed(self, event: Event, *, final: bool) -> None:
        """Record a failed attempt."""
        self.by_run.setdefault(event.run_id, Counter())[event.payload.get("cause", "error")] += 1
        self.attempts[event.run_id, event.attempt] = event.time_s
        if final:
            self.streak = self.last = self.streak.with_failure(event)

    def ended_well(self) -> None:
        """Record that a run finished, or was paused in a comparison with other runs."""
        self.streak = Streak()

    def closed(self, event: Event) -> None:
        """Record the end of a driver's session: the next one starts a new streak."""
        self.streak = Streak()
        self.again = tuple(event.payload.get(AGAIN, ()))

    def opened(self) -> tuple[str, ...]:
        """Return the runs that a new session repeats; their failures so far no longer count."""
        again, self.again = self.again, ()
        for run_id in again:
            self._settled[run_id] = self.by_run.get(run_id, Counter()).copy()
        return again
