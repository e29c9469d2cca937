"""One worker of a group on the driver's side, with its unanswered calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from paretoflow.engine.groups.transport import Actor, CallError, Reply, Transport
from paretoflow.engine.groups.worker import WorkerLocation
from paretoflow.engine.live import GroupPhase
from paretoflow.engine.messages import Report
from paretoflow.engine.runtime.poll import Message, PollReply, PollRequest
from paretoflow.spec.engine import LimitsSpec
from paretoflow.spec.sweep import SweepSpec

START_S = 600.0
"""Longest time that a placed worker takes to start its process, environment included, in seconds.
"""


@dataclass(frozen=True)
class GroupOptions:
    """Options that all worker groups of a driver share.

    Args:
        transport: Carries the driver's calls.
        epoch: The driver's epoch in the ledger.
        wait_s: Longest time that a worker waits for news before it answers a poll, in seconds.
        alone: Whether the workers of a group need no meeting point: there is a single worker
            without DeepSpeed, or Ray Train connects them.
        sharded: Whether the workers of a group hold the base together, and so prepare together.
    """

    transport: Transport
    epoch: int
    limits: LimitsSpec
    wait_s: float
    alone: bool
    sharded: bool = False


def wait_s_of(spec: SweepSpec) -> float:
    """Return the wait of a poll: longer for many workers, shorter for strict limits."""
    limits = spec.engine.limits
    strictest = min(limits.silent_s, limits.heartbeat_s, limits.orphan_s, limits.run_s or 1e9)
    ranks = spec.engine.worker_groups * spec.engine.resources.ranks
    return max(0.25, min(max(2.0, ranks / 50), 30.0, strictest / 4))


@dataclass
class WorkerHandle:
    """One worker.

    Attributes:
        reply: Its last answer to a poll; None before the first.
        ended: Its report of the end of the worker group's launch.
        place: Its location; None until it is known.
    """

    actor: Actor
    options: GroupOptions
    reply: PollReply | None = None
    ended: Report | None = None
    loaded: bool = False
    loading: bool = False
    place: WorkerLocation | None = None
    _since: int = -1
    _told: int = -1
    _recorded: int = -1
    _news: Reply = None
    _asked_s: float | None = None
    _up_s: float = 0.0
    _answers: dict[Reply, tuple[Callable[[Any], None], float]] = field(default_factory=dict)

    def ask(self, method: str, *args: object, then: Callable[[Any], None] | None = None) -> None:
        """Call a method of the worker; pass its result to `then` once it arrives."""
        transport = self.options.transport
        reply = transport.call(self.actor, method, *args)
        self._answers[reply] = then or _ignore, transport.monotonic()

    def note_location(self, place: WorkerLocation) -> None:
        """Record the worker's location."""
        self.place = place

    def listen(self) -> None:
        """Poll the worker, unless a poll is open."""
        if self._news is None:
            self._news = self.call()
            self._asked_s = self._asked_s or self.options.transport.monotonic()

    def call(self, *, wait: bool = True) -> Reply:
        """Send a poll; return the handle of the reply."""
        options = self.options
        wait_s = options.wait_s if wait else 0.0
        request = PollRequest(
            options.epoch, self._since, self._recorded, wait_s, options.limits.orphan_s
        )
        return options.transport.call(self.actor, "poll", request)

    def awaited(self) -> Iterator[Reply]:
        """Return the handles of all open replies."""
        yield from self._answers
        if self._news is not None:
            yield self._news

    def take(self, answered: set[Reply]) -> list[Message]:
        """Process the arrived replies; return the new messages.

        Raises:
            ParetoflowError: If the worker raised it, for instance FencedError.
            CallError: If the worker is gone.
        """
        result = self.options.transport.result
        for reply in [r for r in self._answers if r in answered]:
            then, _ = self._answers.pop(reply)
            then(result(reply))
        if self._news not in answered:
            return []
        news, self._news = self._news, None
        try:
            return self.take_reply(result(news))
        except CallError as error:
            if error.unreachable:  # a short network failure; the heartbeat's limit still counts
                return []
            raise

    def take_reply(self, reply: PollReply) -> list[Message]:
        """Process an answer to a poll; return the new messages."""
        if self.reply is None:
            self._up_s = self.options.transport.monotonic()
        self.reply, self._asked_s = reply, None
        new = [message for number, message in reply.messages if number > self._since]
        self._since = max([self._since, *(number for number, _ in reply.messages)])
        return new

    def mark_delivered(self) -> None:
        """Record that the driver has received all messages so far."""
        self._told = self._since

    def acknowledge(self) -> None:
        """Record that all messages delivered to the driver are in the ledger."""
        self._recorded = self._told

    def silence(self, placed_s: float) -> str:
        """Describe a worker that leaves a call unanswered for too long; empty while it answers.

        It may answer polls and not a command, if that never arrived: it would never do its work.

        Args:
            placed_s: Monotonic time at which its resources were available.
        """
        limits, reply = self.options.limits, self.reply
        now = self.options.transport.monotonic()
        if reply is None:
            late = now - placed_s > START_S
            return f"the worker did not start within {START_S:g} s" if late else ""
        allowed_s = self.options.wait_s + limits.heartbeat_s
        asked_s = [asked for _, asked in self._answers.values()]
        if self._asked_s is not None:
            asked_s.append(self._asked_s)
        if asked_s and now - max(min(asked_s), self._up_s) > allowed_s:
            limit = f"engine.limits.heartbeat_s = {limits.heartbeat_s:g} s"
            return f"the worker does not answer, for longer than {limit}"
        return ""

    @property
    def still_s(self) -> float | None:
        """Return the seconds without a sign of progress; None while the worker is idle."""
        reply = self.reply
        working = reply is not None and (reply.training or reply.phase is GroupPhase.LOADING)
        return reply.still_s if reply is not None and working else None


def _ignore(answer: object) -> None:
    """Ignore an answer that only confirms the call."""
