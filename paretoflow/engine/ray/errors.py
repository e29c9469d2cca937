"""Failures of runs from Ray's errors about lost processes."""

from __future__ import annotations

import re
from dataclasses import replace

from ray.exceptions import (
    ActorUnavailableError,
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)

from paretoflow.core.errors import WorkerError
from paretoflow.core.status import Boundary
from paretoflow.engine.failures.attribution import SMALLER, death_of, failure_of
from paretoflow.engine.messages import Cause, Failure


def loss_of(error: RayError, run_id: str) -> Failure:
    """Classify why a worker died: out of memory, node lost, node preempted, or crash.

    A crash has a cause of its own, as either the machine or the run may be to blame. Any other
    error of Ray is about Ray, and not the fault of the run.
    """
    text = str(error)
    if isinstance(error, OutOfMemoryError):
        message = f"out of memory: Ray ended the worker to save its node ({SMALLER})"
        return Failure(Boundary.WORKER, message, True, text, Cause.OUT_OF_MEMORY)
    preempted = isinstance(error, RayActorError) and error.preempted
    if preempted or isinstance(error, NodeDiedError) or "node has died" in text:
        words = "was taken back" if preempted else "was lost"
        return Failure(Boundary.WORKER, f"the worker's node {words}", True, text, Cause.LOST)
    if isinstance(error, RayTaskError) or not _died(error):
        raised = getattr(error, "cause", None) or error
        return replace(failure_of(raised), boundary=Boundary.WORKER, details=text)
    detail = re.search(r"exit detail: (.{1,160})", text)
    why = detail.group(1) if detail else text.splitlines()[0]
    return death_of(WorkerError(f"the worker died: {why}", run_id, code="worker-died"))


def _died(error: RayError) -> bool:
    ended = isinstance(error, RayActorError | WorkerCrashedError)
    return ended and not isinstance(error, ActorUnavailableError)
