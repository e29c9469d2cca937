from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from paretoflow.core.errors import FencedError, LedgerError, SchemaVersionError
from paretoflow.core.retry import OUTAGE_S, RETRY_S, Patience, patiently
from tests.faults import raises


class Storage:
    """Fails with each of some errors in turn; its clock moves when it is waited for."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        self.errors = list(errors)
        self.now_s = 0.0

    def write(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "written"

    def now(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.now_s += seconds

    def patience(self, *away: type[Exception], **more: Any) -> Patience:
        return Patience(away or (LedgerError,), now=self.now, pause=self.pause, **more)


def test_a_write_is_tried_until_storage_is_back() -> None:
    away = [LedgerError("away"), LedgerError("still away")]
    storage, told = Storage(away), []
    assert patiently(storage.write, storage.patience(told=told.append)) == "written"
    assert told == away
    assert storage.now_s == 2 * RETRY_S


def test_patience_ends() -> None:
    storage = Storage([LedgerError("away")] * 1000)
    with raises("ledger", "away"):
        patiently(storage.write, storage.patience())
    assert OUTAGE_S - RETRY_S <= storage.now_s <= OUTAGE_S


@pytest.mark.parametrize("error", [FencedError("newer"), SchemaVersionError("newer"), OSError("?")])
def test_what_waiting_does_not_mend_is_raised_at_once(error: Exception) -> None:
    storage = Storage([error])
    with pytest.raises(type(error)):
        patiently(storage.write, storage.patience())
    assert storage.now_s == 0.0


def test_nothing_is_waited_for_where_somebody_waited_already() -> None:
    storage = Storage([OSError("away")])
    with pytest.raises(OSError, match="away"):
        patiently(storage.write, storage.patience(OSError, for_s=0.0))
    assert storage.now_s == 0.0


def test_waits_double_up_to_the_longest_by_hand() -> None:
    storage, waits = Storage([OSError("away")] * 7), list[float]()
    patience = Patience((OSError,), first_s=0.5, now=storage.now, pause=waits.append)
    assert patiently(storage.write, patience) == "written"
    assert waits == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


def test_an_error_that_does_not_pass_is_raised_at_once() -> None:
    storage = Storage([OSError("away"), OSError("denied")])
    patience = storage.patience(OSError, passes=lambda error: "away" in str(error))
    with pytest.raises(OSError, match="denied"):
        patiently(storage.write, patience)
    assert storage.now_s == RETRY_S
