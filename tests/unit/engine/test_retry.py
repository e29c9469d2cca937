from __future__ import annotations

from collections.abc import Sequence

import pytest

from paretoflow.core.errors import FencedError, LedgerError, SchemaVersionError
from paretoflow.engine.retry import OUTAGE_S, RETRY_S, patiently
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


def test_a_write_is_tried_until_storage_is_back() -> None:
    away = [LedgerError("away"), LedgerError("still away")]
    storage, told = Storage(away), []
    assert patiently(storage.write, storage.now, storage.pause, told=told.append) == "written"
    assert told == away
    assert storage.now_s == 2 * RETRY_S


def test_patience_ends() -> None:
    storage = Storage([LedgerError("away")] * 1000)
    with raises("ledger", "away"):
        patiently(storage.write, storage.now, storage.pause)
    assert OUTAGE_S - RETRY_S <= storage.now_s <= OUTAGE_S


@pytest.mark.parametrize("error", [FencedError("newer"), SchemaVersionError("newer"), OSError("?")])
def test_what_waiting_does_not_mend_is_raised_at_once(error: Exception) -> None:
    storage = Storage([error])
    with pytest.raises(type(error)):
        patiently(storage.write, storage.now, storage.pause)
    assert storage.now_s == 0.0


def test_nothing_is_waited_for_where_somebody_waited_already() -> None:
    storage = Storage([OSError("away")])
    with pytest.raises(OSError, match="away"):
        patiently(storage.write, storage.now, storage.pause, away=(OSError,), for_s=0.0)
    assert storage.now_s == 0.0
