from __future__ import annotations

import importlib

import pytest

from paretoflow.core.status import Boundary
from paretoflow.engine.messages import Cause

pytestmark = pytest.mark.ray
exceptions = pytest.importorskip("ray.exceptions")
loss_of = importlib.import_module("paretoflow.engine.ray.errors").loss_of
DIED = """The actor died unexpectedly before finishing this task.
\tclass_name: Worker
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR \
Worker exit detail: Worker unexpectedly exits with a connection error code 2. End of file."""
NODE = "The actor died because its node has died. Node Id: abc"


def _raised_there(error: Exception) -> Exception:
    """Return the error of an actor call whose method raised an error."""
    raised = exceptions.RayTaskError("poll", "Traceback …", error).as_instanceof_cause()
    assert isinstance(raised, Exception)
    return raised


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        (
            exceptions.RayActorError("1", DIED),
            Cause.DIED,
            "run a: the worker died: Worker unexpectedly exits with a connection error code 2",
        ),
        (exceptions.RayActorError("1", "gone"), Cause.DIED, "run a: the worker died: gone"),
        (exceptions.RayActorError("1", NODE), Cause.LOST, "the worker's node was lost"),
        (
            exceptions.RayActorError("1", NODE, preempted=True),
            Cause.LOST,
            "the worker's node was taken back",
        ),
        (exceptions.NodeDiedError("gone"), Cause.LOST, "the worker's node was lost"),
        (exceptions.WorkerCrashedError(), Cause.DIED, "run a: the worker died: "),
        (exceptions.ActorUnavailableError("away", b"1" * 16), Cause.OUTAGE, "ActorUnavailable"),
        (exceptions.RaySystemError("raylet gone"), Cause.OUTAGE, "ray says RaySystemError"),
        (exceptions.ObjectStoreFullError("full"), Cause.OUTAGE, "ray says ObjectStoreFullError"),
        (_raised_there(OSError(24, "Too many open files")), Cause.OUTAGE, "too many open files"),
        (_raised_there(TypeError("no such word")), Cause.ERROR, "no such word"),
        (exceptions.OutOfMemoryError("evicted"), Cause.OUT_OF_MEMORY, "lower method.batch_size"),
    ],
)
def test_a_lost_worker_is_told_by_what_a_further_attempt_needs(
    error: Exception, cause: Cause, words: str
) -> None:
    failure = loss_of(error, "run a")
    assert (failure.boundary, failure.cause, failure.retryable) == (Boundary.WORKER, cause, True)
    assert words in failure.message
    assert "\n" not in failure.message
