from __future__ import annotations

import importlib

import pytest

from paretoflow.core.errors import WorkerError
from paretoflow.core.status import Boundary
from paretoflow.engine.messages import Failure

pytestmark = pytest.mark.ray
exceptions = pytest.importorskip("ray.exceptions")
pytest.importorskip("ray.train")
launcher = importlib.import_module("paretoflow.engine.ray.train_launcher")
FAILED = launcher.AttemptFailedError(Failure(Boundary.METHOD, "broke", retryable=True))


class GroupError(Exception):
    """As Ray Train's: what happened on each worker, by rank."""

    def __init__(self, **worker_failures: Exception) -> None:
        super().__init__("Training failed due to worker errors")
        self.worker_failures = worker_failures


class HealthError(Exception):
    def __init__(self, failure: Exception) -> None:
        super().__init__("A worker health check failed.")
        self.health_check_failure = failure


def test_what_a_worker_says_of_its_failure_counts_more_than_that_others_are_gone() -> None:
    gone = HealthError(exceptions.RayActorError("1", "gone"))
    assert launcher._cause_of(GroupError(rank0=gone, rank1=FAILED)) is FAILED
    assert launcher._cause_of(GroupError(rank0=gone)) is gone.health_check_failure


def test_anything_else_is_told_in_ray_trains_words() -> None:
    error = launcher._cause_of(GroupError(rank0=AssertionError("no problem")))
    assert isinstance(error, WorkerError)
    assert str(error) == "Ray Train failed: AssertionError: no problem"
    assert "GroupError: Training failed" in str(launcher._cause_of(GroupError()))
