from __future__ import annotations

import pytest

from paretoflow.core.errors import (
    DataError,
    FencedError,
    LedgerError,
    MethodError,
    ModelError,
    ObjectiveError,
    PluginError,
    WorkerError,
)
from paretoflow.core.status import Boundary
from paretoflow.engine.faults import failure_in, failure_of


@pytest.mark.parametrize(
    ("error", "boundary", "retryable"),
    [
        (ObjectiveError("nan", "objective x"), Boundary.OBJECTIVE, True),
        (DataError("no column"), Boundary.DATA, False),
        (PluginError("no such name"), Boundary.DATA, False),
        (ModelError("no weights"), Boundary.METHOD, False),
        (MethodError("the loss is nan"), Boundary.METHOD, True),
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
    assert failure_of(ValueError("bad\nworse")).message == "ValueError: bad"
    assert failure_of(MemoryError()).message == "MemoryError: "


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
