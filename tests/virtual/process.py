"""A worker's process: the real worker and mailbox, moved by virtual time instead of by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from inspect import isgenerator
from typing import TYPE_CHECKING, Any, cast

from paretoflow.core.errors import WorkerError
from paretoflow.engine.failures.attribution import death_of
from paretoflow.engine.groups.worker import Job, Worker, WorkerConfig, WorkerLocation
from paretoflow.engine.messages import Failure
from paretoflow.engine.runtime.mailbox import PollRequest, Waiting
from paretoflow.engine.runtime.protocols import RunExecutor

if TYPE_CHECKING:
    from tests.virtual.cluster import VirtualCluster, VirtualNode, VirtualPlacement

NOTICE_S = 0.2
"""How soon work notices that it is to stop: one optimiser step."""
KILLED = death_of(WorkerError("the worker died: killed by a driver"))
COMMANDS = ("load", "begin", "suspend", "drain")
Answer = Callable[[Any, Exception | None], None]
"""Takes what a call returned or raised."""


class Process:
    """One worker; see `groups.worker.Host` for what it is to the worker.

    Attributes:
        node: Where it runs; None before it starts and after its end.
        failure: Why it is gone; None while it is not.
        ended_s: When it went; None while it is there.
        begun: The (run, attempt) that it was given last; None before the first.
        cut_until_s: No message reaches it, and none leaves it, before that time.
        heard_s: When it last did something for a driver.
        deaf: Whether its work hangs, and notices nothing.
    """

    def __init__(
        self,
        cluster: VirtualCluster,
        name: str,
        config: WorkerConfig,
        placement: VirtualPlacement,
    ) -> None:
        self.cluster, self.name, self.config = cluster, name, config
        self.placement = placement
        self.node: VirtualNode | None = None
        self.failure: Failure | None = None
        self.ended_s: float | None = None
        self.cut_until_s = 0.0
        self.heard_s = cluster.time.now_s
        self.deaf = False
        self.begun: tuple[str, int] | None = None
        self._newest = config.epoch
        self._worker: Worker | None = None
        self._early: list[tuple[str, tuple[Any, ...], Answer]] = []
        self._open: list[tuple[Waiting, Answer]] = []
        self._jobs: deque[Job] = deque()
        self._work: Iterator[float] | None = None
        self._step = 0
        self._noticing = False
        self._answers: dict[Answer, None] = {}  # in order, so that a seed repeats its world

    @property
    def slot(self) -> int:
        """Return the slot of its group."""
        return int(self.name.split("-")[0].removeprefix("slot"))

    @property
    def group(self) -> str:
        """Return the name of its group."""
        return self.name.rpartition("-")[0]

    def start(self) -> None:
        """Start on the node of its rank, once placed; it answers after a while."""
        if self.failure is not None:
            return
        cluster = self.cluster
        self.node = self.placement.nodes[self.config.parallel.rank]
        if self.node.name not in {n.address for n in cluster.nodes()[0]}:
            self.end(death_of(WorkerError("the worker died: its node went as it started")))
            return
        if cluster.befalls("fail_start"):
            died = death_of(WorkerError("the worker died: it could not start"))
            cluster.time.plan(cluster.drawn_s(cluster.faults.start_s), partial(self.end, died))
            return
        cluster.time.plan(cluster.drawn_s(cluster.faults.start_s), self._up, self._gone)

    def _gone(self) -> bool:
        return self.failure is not None

    def _up(self) -> None:
        self.heard_s = self.cluster.time.now_s
        self._worker = Worker(self.config, self)
        self._watch(self._worker.watch())
        early, self._early = self._early, []
        for method, args, answer in early:
            self.deliver(method, args, answer)

    def _watch(self, looks: Iterator[float]) -> None:
        assert self._worker is not None
        for pause_s in looks:
            if not self._worker.mailbox.stopping():  # until then a look would find nothing
                orphan_s = self.cluster.spec.engine.limits.orphan_s
                pause_s = max(pause_s, self.heard_s + orphan_s - self.cluster.time.now_s)
            self.cluster.time.plan(pause_s, partial(self._watch, looks), self._gone)
            self._settle()
            return
        self.cluster.remove(self.placement)

    def deliver(self, method: str, args: tuple[Any, ...], answer: Answer) -> None:
        """Let a call arrive."""
        if self.failure is not None:
            answer(None, None)
            return
        self._answers[answer] = None
        if self._worker is None:
            self._early.append((method, args, answer))
            return
        try:
            if method == "poll":
                request: PollRequest = args[0]
                waiting = self._worker.mailbox.receive(request)
                self._obeyed(method, request.epoch)
                self._open.append((waiting, answer))
                self.cluster.time.plan(request.wait_s, partial(self._late, waiting), self._gone)
            else:
                self._reply(answer, getattr(self._worker, method)(*args))
                if method in COMMANDS:
                    self._obeyed(method, args[0])
                if method == "begin":
                    self.begun = (args[1].run_id, args[1].attempt)
        except Exception as error:  # noqa: BLE001 - it goes back to whoever called
            self._reply(answer, None, error)
        self._settle()

    def _obeyed(self, method: str, epoch: int) -> None:
        if epoch < self._newest:
            self.cluster.unfenced.append(f"{self.name}: {method} of {epoch} after {self._newest}")
        self._newest = max(self._newest, epoch)
        self.heard_s = self.cluster.time.now_s

    def _reply(self, answer: Answer, value: Any, error: Exception | None = None) -> None:
        self._answers.pop(answer, None)
        answer(value, error)

    def _late(self, waiting: Waiting) -> None:
        self._settle(waiting)

    def _settle(self, late: Waiting | None = None) -> None:
        """Answer the calls for news that can be answered; have the work notice what it is asked."""
        worker = self._worker
        assert worker is not None
        still = []
        for waiting, answer in self._open:
            if waiting is not late and not worker.mailbox.has_news(waiting):
                still.append((waiting, answer))
                continue
            try:
                self._reply(answer, worker.mailbox.answer(waiting))
                self._obeyed("poll", waiting.request.epoch)
            except Exception as error:  # noqa: BLE001 - it goes back to whoever called
                self._reply(answer, None, error)
        self._open = still
        notices = self._work is not None and not (self._noticing or self.deaf)
        if notices and worker.mailbox.stopping():
            self._noticing = True
            self.cluster.time.plan(NOTICE_S, partial(self._resume, self._step), self._gone)

    def end(self, failure: Failure) -> None:
        """Let the process die; its callers hear of it."""
        if self.failure is not None:
            return
        self.failure, self.node, self.ended_s = failure, None, self.cluster.time.now_s
        self.cluster.processes.pop(self.name, None)
        self._work, self._jobs, self._worker = None, deque(), None
        answers, self._answers = self._answers, {}
        for answer in answers:
            answer(None, None)

    def kill(self) -> None:
        """End it for a driver; one that is cut off hears of that when it is back."""
        if self.failure is not None:
            return
        if self.cluster.befalls("slow_kill"):
            self.cut_off(self.cluster.drawn_s(self.cluster.faults.keep_s))
        late_s = max(0.0, self.cut_until_s - self.cluster.time.now_s)
        self.cluster.time.plan(late_s + self.cluster.drawn_s(0.05), partial(self.end, KILLED))

    def cut_off(self, for_s: float) -> None:
        """Let no message through for a while."""
        self.cut_until_s = max(self.cut_until_s, self.cluster.time.now_s + for_s)

    # what the worker needs of its host

    def now(self) -> float:
        return self.cluster.time.now_s

    def enqueue(self, job: Job) -> None:
        self._jobs.append(job)
        self.cluster.time.plan(0.0, self._next, self._gone)

    def location(self) -> WorkerLocation:
        assert self.node is not None
        return WorkerLocation(self.node.name, self.node.name, 1)

    def meeting_point(self) -> tuple[str, int]:
        assert self.node is not None
        return self.node.name, 1234

    def meet(self, meeting: tuple[str, int]) -> None: ...

    def executor(self) -> RunExecutor:
        from tests.virtual.executor import VirtualExecutor

        cluster = self.cluster
        if cluster.befalls("fail_load"):
            raise WorkerError("cannot load: by chance")
        return cast("RunExecutor", VirtualExecutor(cluster, self))  # its work comes in steps

    # the work, step by step

    def _next(self) -> None:
        if self._work is not None or not self._jobs:
            return
        self._work = self._work_of(self._jobs.popleft())
        self._advance()

    def _work_of(self, job: Job) -> Iterator[float]:
        """Do a job; what it returns in one go takes the time of loading."""
        result = job.work()
        if isgenerator(result):
            result = yield from result
        else:
            yield self.cluster.drawn_s(self.cluster.faults.start_s)
        job.done(result)

    def _resume(self, step: int) -> None:
        if step == self._step and self._work is not None:
            self._advance()

    def _advance(self) -> None:
        assert self._work is not None
        self._step += 1
        self._noticing = False
        try:
            pause_s = next(self._work)
        except StopIteration:
            self._work = None
            self._settle()
            self.cluster.time.plan(0.0, self._next, self._gone)
            return
        if self.failure is None:
            self.cluster.time.plan(pause_s, partial(self._resume, self._step), self._gone)
            self._settle()
