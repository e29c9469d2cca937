from __future__ import annotations

import pytest

from paretoflow.core.errors import (
    DataError,
    FencedError,
    LedgerError,
    MethodError,
    ModelError,
    NonFiniteLossError,
    ObjectiveError,
    PluginError,
    RunInterrupted,
    StorageError,
    WorkerError,
)
from paretoflow.core.status import Boundary
from paretoflow.engine.failures.attribution import error_in, failure_in, failure_of
from paretoflow.engine.messages import Cause


@pytest.mark.parametrize(
    ("error", "boundary", "retryable"),
    [
        (ObjectiveError("nan", "objective x"), Boundary.OBJECTIVE, True),
        (DataError("no column"), Boundary.DATA, False),
        (PluginError("no such name"), Boundary.DATA, False),
        (ModelError("no weights"), Boundary.METHOD, False),
        (MethodError("no two answers differ"), Boundary.METHOD, True),
        (NonFiniteLossError("the loss is nan"), Boundary.METHOD, False),
        (StorageError("no space left"), Boundary.STORE, True),
        (RunInterrupted("stopped after step 2"), Boundary.WORKER, True),
        (LedgerError("disk full"), Boundary.STORE, True),
        (FencedError("a newer driver"), Boundary.STORE, True),
        (WorkerError("died"), Boundary.WORKER, True),
        (MemoryError(), Boundary.WORKER, True),
        (OSError(28, "No space left on device"), Boundary.STORE, True),
        (FileNotFoundError("adapter"), Boundary.STORE, True),
        (RuntimeError("CUDA error"), Boundary.METHOD, True),
        (KeyError("input_ids"), Boundary.METHOD, True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_every_error_has_one_boundary(
    error: BaseException, boundary: Boundary, retryable: bool
) -> None:
    failure = failure_of(error)
    assert (failure.boundary, failure.retryable) == (boundary, retryable)
    assert failure.message
    assert "\n" not in failure.message


def test_our_errors_speak_for_themselves_and_others_are_named() -> None:
    ours = ObjectiveError("returned nan", "objective x", "look at it")
    assert failure_of(ours).message == "objective x: returned nan (look at it)"
    assert failure_of(ours).code == "objective"
    assert failure_of(ValueError("bad")).code == ""
    assert failure_of(ValueError("bad\nworse")).message == "ValueError: bad"
    assert failure_of(KeyError()).message == "KeyError: "


def test_out_of_memory_is_told_from_other_failures_and_comes_with_advice() -> None:
    def method() -> None:
        try:
            raise MemoryError("buy some")
        except MemoryError as error:
            raise MethodError("training failed") from error

    failure = failure_in(method)
    assert failure is not None
    assert (failure.boundary, failure.cause) == (Boundary.WORKER, Cause.OUT_OF_MEMORY)
    assert "lower method.batch_size" in failure.message


def test_a_run_that_was_put_down_costs_no_retry() -> None:
    assert failure_of(RunInterrupted("stopped after step 2")).cause is Cause.LOST
    assert failure_of(WorkerError("died")).cause is Cause.ERROR


def test_loading_fails_with_an_error_that_can_cross_processes() -> None:
    def load() -> None:
        raise ImportError("no module named moody")

    error = error_in(load)
    assert isinstance(error, WorkerError)
    assert "cannot load: ImportError: no module named moody" in str(error)
    assert "test_attribution.py" in error.where
    assert error_in(lambda: None) is None


def test_an_error_of_our_own_ends_loading_as_it_is() -> None:
    ours = ModelError("no weights")

    def load() -> None:
        raise ours

    assert error_in(load) is ours


def test_work_that_ends_well_has_no_failure() -> None:
    done: list[int] = []
    assert failure_in(lambda: done.append(1)) is None
    assert done == [1]


def test_the_details_tell_where_the_error_came_from() -> None:
    def scorer_of_a_user() -> None:
        try:
            raise KeyError("tone")
        except KeyError as error:
            raise ObjectiveError("raised KeyError", "objective tone") from error

    failure = failure_in(scorer_of_a_user)
    assert failure is not None
    assert failure.boundary is Boundary.OBJECTIVE
    assert "scorer_of_a_user" in failure.details
    assert "KeyError: 'tone'" in failure.details


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_is_let_through(kind: type[BaseException]) -> None:
    def work() -> None:
        raise kind

    with pytest.raises(kind):
        failure_in(work)


def test_no_secret_of_a_scorers_error_reaches_the_ledger() -> None:
    error = RuntimeError("401 for https://judge.example/v1?api_key=hunter2 (Bearer hunter2hunter2)")
    failure = failure_of(error)
    assert "hunter2" not in failure.message + failure.details
    assert failure.message.startswith("RuntimeError: 401 for https://judge.example/v1?…")
