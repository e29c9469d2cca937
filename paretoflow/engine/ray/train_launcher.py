"""The second launcher: each run under Ray Train v2, in processes of its own.

A supervisor without resources takes the place of a worker group of the first launcher. It is the
same actor with the same messages; its executor passes each launch to `TorchTrainer.fit`. The
workers load the base for each launch, train, write their results to storage and report to the
supervisor. The driver retries failures, as for the first launcher; Ray Train does not.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from paretoflow.core.errors import RunInterrupted, UserError, WorkerError
from paretoflow.core.launch import Launch
from paretoflow.core.protocols import Parallel
from paretoflow.core.values import Problem
from paretoflow.engine.cluster.nodes import draining_nodes
from paretoflow.engine.failures.attribution import failure_in
from paretoflow.engine.messages import Cause, Failure, Report
from paretoflow.engine.ray.errors import loss_of
from paretoflow.engine.runtime.protocols import Attempt, RunExecutor, parallel_of
from paretoflow.engine.state.events import problem_of
from paretoflow.ledger.tables import Event
from paretoflow.scoring.preparing import NOBODY, Preparing
from paretoflow.spec.sweep import SweepSpec

ASK_EVERY_S = 1.0
"""Interval at which a worker asks whether it should stop, in seconds."""
_PACE = {"RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5"}
"""Overrides Ray Train's interval of 2 s, which adds seconds to every launch."""


class AttemptFailedError(Exception):
    """Ends a worker so that Ray Train ends the others, which may wait for it forever.

    Args:
        failure: Failure of the worker's part of the attempt.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


@dataclass(frozen=True)
class TrainTask:
    """The task of the workers of one `fit`.

    Args:
        problem: The frozen objectives; None to freeze them and evaluate the base.
        launch: The attempt; None for preparation only.
        supervisor: Handle of the actor that receives the reports.
    """

    spec: dict[str, Any]
    root: str
    executor: str
    threads: int
    problem: Problem | None
    launch: Launch | None
    supervisor: Any


class RayTrainExecutor:
    """An executor that runs each launch with Ray Train; see `runtime.protocols.RunExecutor`.

    Args:
        executor: Import path of the workers' executor.
    """

    def __init__(
        self, spec: SweepSpec, root: str, threads: int, parallel: Parallel, executor: str
    ) -> None:
        self._spec = spec
        self._given = (spec.model_dump(mode="json"), root, executor, threads)
        os.environ.update({**_PACE, **os.environ})
        self._supervisor = ray.get_runtime_context().current_actor
        self._problem: Problem | None = None
        self._attempt: Attempt | None = None
        self._mailbox: Preparing | None = None

    def prepare(self, mailbox: Preparing) -> list[Event]:
        """Do the shared stage on one worker; at ZeRO 3 on all workers of a group.

        Raises:
            RunInterrupted: If the mailbox requested it.
            WorkerError: If the worker was lost, or Ray Train failed.
        """
        events = self._before_launches(mailbox)
        self._problem = problem_of(events, None)
        return events

    def ready(self, problem: Problem, mailbox: Preparing) -> list[Event]:
        """Compare the inputs that scores depend on, on one worker; it loads nothing for launches.

        Raises:
            ChangedInputsError: If the inputs have changed.
            RunInterrupted: If the mailbox requested it.
            WorkerError: If the worker was lost, or Ray Train failed.
        """
        self._problem = problem
        events = self._before_launches(mailbox)
        self._problem = problem_of(events, problem)
        return events

    def _before_launches(self, mailbox: Preparing) -> list[Event]:
        self._mailbox = mailbox
        try:
            resources = self._spec.engine.resources
            return list(self._fit(None, resources.ranks if resources.zero == 3 else 1) or ())
        except (AttemptFailedError, RayError, WorkerError) as error:
            if mailbox.stopping():
                raise RunInterrupted("the worker leaves before the first launch") from error
            raise

    def execute(self, launch: Launch, attempt: Attempt) -> Failure | None:
        """Execute an attempt on the workers."""
        self._attempt = attempt
        told: list[Failure | None] = []

        def fit() -> None:
            try:
                told.append(self._fit(launch, self._spec.engine.resources.ranks))
            except AttemptFailedError as failed:
                told.append(failed.failure)
            except RayError as error:
                told.append(loss_of(error, launch.run_id))

        # any other error of Ray Train, for instance a full disk of this node, ends only the attempt
        failure = failure_in(fit)
        return told[0] if told else failure

    def tell(self, report: Report) -> None:
        """Forward a worker's report."""
        assert self._attempt is not None
        self._attempt.tell(report)

    def progress(self, step: int | None, node_id: str) -> bool:
        """Forward a worker's sign of life; return whether it should save its run and stop."""
        assert self._attempt is not None
        self._attempt.progress(step)
        return self._attempt.stopping() or node_id in draining_nodes()

    def doing(self, told: tuple[str, int, int], node_id: str) -> bool:
        """Forward a worker's progress before the launch; return whether it should stop."""
        assert self._mailbox is not None
        self._mailbox.doing(*told)
        return self._mailbox.stopping() or node_id in draining_nodes()

    def suspended(self) -> str:
        """Return the reason for a pause, to the worker that stops the run."""
        assert self._attempt is not None
        return self._attempt.suspended()

    def _fit(self, launch: Launch | None, workers: int) -> Any:
        """Run a task to its end; return the result of the first worker.

        Raises:
            AttemptFailedError: If a worker's attempt failed.
            RayError: If a worker was lost.
            WorkerError: If Ray Train failed in another way.
        """
        from ray.train.v2.api.exceptions import TrainingFailedError

        task = TrainTask(*self._given, self._problem, launch, self._supervisor)
        folder = tempfile.mkdtemp(prefix="paretoflow-train-")
        try:
            return self._trainer(task, workers, folder).fit().return_value
        except TrainingFailedError as error:
            raise _cause_of(error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _trainer(self, task: TrainTask, workers: int, folder: str) -> Any:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        resources = self._spec.engine.resources
        use_gpu = resources.gpus_per_rank > 0
        bundle = {"CPU": resources.cpus_per_rank}
        if use_gpu:
            bundle["GPU"] = resources.gpus_per_rank
        threads = str(task.threads)
        return TorchTrainer(
            run_errand,
            train_loop_config={"errand": task},
            torch_config=TorchConfig(
                backend="nccl" if use_gpu else "gloo",
                timeout_s=int(parallel_of(self._spec.engine, 0).wait_s),
            ),
            scaling_config=ScalingConfig(
                num_workers=workers,
                use_gpu=use_gpu,
                resources_per_worker=bundle,
                label_selector=resources.labels or None,
            ),
            run_config=RunConfig(
                name=task.launch.run_id if task.launch else "prepare",
                storage_path=folder,
                failure_config=FailureConfig(max_failures=0),
                worker_runtime_env={
                    "env_vars": {"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}
                },
            ),
        )


def run_errand(config: dict[str, TrainTask]) -> Any:
    """Do a worker's part of a task; return the first worker's result for `RayTrainExecutor`.

    Raises:
        AttemptFailedError: If the attempt failed on this worker.
    """
    task = config["errand"]
    spec = SweepSpec.model_validate(task.spec)
    parallel = parallel_of(spec.engine, ray.train.get_context().get_world_rank())
    if parallel.alone or (task.launch is None and parallel.zero < 3):
        _leave_group()
    module, _, name = task.executor.partition(":")
    factory: Callable[..., RunExecutor] = getattr(importlib.import_module(module), name)
    executor = factory(spec, task.root, task.threads, parallel)
    mailbox = _RemoteDesk(task.supervisor)
    if task.problem is None:
        return executor.prepare(mailbox)
    events = executor.ready(task.problem, NOBODY if task.launch else mailbox)
    if task.launch is None:
        return events
    failure = executor.execute(task.launch, mailbox)
    if failure is not None and failure.cause is not Cause.LOST:
        raise AttemptFailedError(failure)
    return failure


class _RemoteDesk:
    """The mailbox of a worker whose supervisor is another process."""

    def __init__(self, supervisor: Any) -> None:
        self._supervisor = supervisor
        self._node = ray.get_runtime_context().get_node_id()
        self._asked_s = 0.0
        self._stopping = False

    def tell(self, report: Report) -> None:
        ray.get(self._supervisor.consult.remote("tell", report))

    def progress(self, step: int | None = None) -> None:
        if time.monotonic() - self._asked_s > ASK_EVERY_S:
            self._asked_s = time.monotonic()
            self._stopping = ray.get(self._supervisor.consult.remote("progress", step, self._node))

    def doing(self, what: str, done: int, of: int) -> None:
        if time.monotonic() - self._asked_s > ASK_EVERY_S:
            self._asked_s = time.monotonic()
            told = (what, done, of)
            self._stopping = ray.get(self._supervisor.consult.remote("doing", told, self._node))

    def stopping(self) -> bool:
        return self._stopping

    def suspended(self) -> str:
        why: str = ray.get(self._supervisor.consult.remote("suspended"))
        return why


def _leave_group() -> None:
    """Make this process forget that Ray Train made it the only member of a process group."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "ACCELERATE_TORCH_DEVICE"):
        os.environ.pop(name, None)


def _cause_of(error: Exception) -> Exception:
    """Return the underlying error of a failed `fit`."""
    failures = list(getattr(error, "worker_failures", {}).values())
    causes = [getattr(f, "health_check_failure", f) for f in failures]
    for kind in (AttemptFailedError, UserError, RayError):
        found = [c for c in causes if isinstance(c, kind)]
        if found:
            return found[0]
    last = causes[0] if causes else error
    return WorkerError(f"Ray Train failed: {type(last).__name__}: {last}")
