"""A transport whose workers act on command of a test; calls arrive at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from paretoflow.core.protocols import Parallel
from paretoflow.engine.cluster.dashboard import ClusterNode
from paretoflow.engine.groups.transport import CallError
from paretoflow.engine.groups.worker import Job, Worker, WorkerConfig, WorkerLocation
from paretoflow.engine.messages import Failure
from paretoflow.engine.runtime.protocols import RunExecutor
from tests.sim.specs import circle_spec


class HandReply:
    """Result or error of a call."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work


class HandWorker(Worker):
    """A worker whose jobs wait for the test.

    Attributes:
        jobs: What it was given to do.
        meetings: Addresses of the rendezvous that it received.
    """

    def __init__(self, number: int, now: Callable[[], float], config: WorkerConfig) -> None:
        self.now = now
        self.number = number
        self.jobs: list[Job] = []
        self.meetings: list[tuple[str, int]] = []
        super().__init__(config, self)

    def enqueue(self, job: Job) -> None:
        self.jobs.append(job)

    def location(self) -> WorkerLocation:
        return WorkerLocation(f"node{self.number}", f"10.0.0.{self.number}", 1)

    def meeting_point(self) -> tuple[str, int]:
        return f"10.0.0.{self.number}", 1234

    def meet(self, meeting: tuple[str, int]) -> None:
        self.meetings.append(meeting)

    def executor(self) -> RunExecutor:
        raise AssertionError("a worker that is moved by hand loads nothing")


class HandTransport:
    """See the module.

    Attributes:
        now_s: What the clock shows; `sleep` moves it.
        ended: Workers and placements that were ended, in order.
        workers, placements: Requested ones and those added by a test, by name.
        gone: Workers that do not answer any more.
    """

    private = False

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.ended: list[Any] = []
        self.workers: dict[str, Any] = {}
        self.placements: dict[str, Any] = {}
        self.gone: dict[Any, Failure] = {}
        self.whole = [ClusterNode("10.0.0.1", {"CPU": 2.0})]
        self.free = [ClusterNode("10.0.0.1", {"CPU": 0.5})]
        self.leaving: dict[str, int] = {}
        self.grows = False

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return 1e9 + self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def place(self, name: str, *, one_node: bool) -> Any:
        self.placements[name] = name
        return name

    def placed(self, placement: Any) -> HandReply:
        return HandReply(lambda: placement)

    def start(self, name: str, config: WorkerConfig, placement: Any) -> HandWorker:
        self.workers[name] = HandWorker(config.parallel.rank, self.monotonic, config)
        return self.workers[name]

    def found(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return self.workers, self.placements

    def call(self, actor: Any, method: str, *args: object) -> HandReply:
        def work() -> Any:
            if actor in self.gone:
                failure = self.gone[actor]
                raise CallError(failure.message, lambda run_id: failure)
            return getattr(actor, method)(*args)

        return HandReply(work)

    def wait(self, replies: Collection[Any], timeout_s: float) -> set[Any]:
        if not replies:
            self.now_s += timeout_s
        return set(replies)

    wait_for_all = wait

    def result(self, reply: HandReply) -> Any:
        return reply.work()

    def kill(self, actor: Any) -> None:
        self.ended.append(actor)
        self.workers = {k: w for k, w in self.workers.items() if w is not actor}

    def remove(self, placement: Any) -> None:
        self.ended.append(placement)
        self.placements.pop(placement, None)

    def nodes(self) -> tuple[list[ClusterNode], list[ClusterNode]]:
        return self.whole, self.free

    def draining(self) -> Mapping[str, int]:
        return self.leaving

    def may_grow(self) -> bool:
        return self.grows

    def within(self, seconds: float, work: Callable[[], object]) -> bool:
        try:
            work()
        except CallError:
            return False
        return True

    def disconnect(self) -> None: ...

    def abandon(self, status: Callable[[], int]) -> None: ...


def worker_config(rank: int = 0, ranks: int = 1, epoch: int = 1) -> WorkerConfig:
    """Return the start arguments of a worker of a small sweep."""
    plain = circle_spec().model_dump(mode="json")
    return WorkerConfig(plain, "/a/s", "module:Executor", 1, Parallel(rank, ranks), epoch)
