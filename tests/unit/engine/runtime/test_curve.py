"""An attempt's curve on disk: after a kill, an outage, a failure and many steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.errors import StorageError
from paretoflow.engine.runtime import curve as module
from paretoflow.engine.runtime.curve import AttemptCurve
from paretoflow.ledger.curves import CHUNK_STEPS, read_curves
from paretoflow.storage import LocalFolder

ATTEMPT = ("r0001-aaaaaa", 2)


class Refusing(LocalFolder):
    """A folder whose disk is full for a while."""

    full = False

    def write(self, name: str, content: bytes) -> None:
        if self.full:
            raise StorageError("no space left", name)
        super().write(name, content)


def at_once(write: Callable[[], object]) -> None:
    write()


def steps_in(root: Path) -> list[int]:
    steps: list[int] = read_curves(root)["step"].to_pylist()
    return steps


def failed(curve: AttemptCurve, *steps: dict[str, float]) -> None:
    with curve:
        for step, values in enumerate(steps, 1):
            curve.log(step, values)
        raise ZeroDivisionError


def test_a_worker_that_is_killed_loses_at_most_the_steps_since_the_last_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    curve = AttemptCurve(LocalFolder(tmp_path), ATTEMPT)  # never left: it is killed
    for step in range(1, 41):
        clock[0] += 2.0  # a step takes 2 s, a write is due every 30 s
        curve.log(step, {"loss": 1.0 / step})
    assert steps_in(tmp_path) == list(range(1, 31))
    curve.keep(at_once)
    assert steps_in(tmp_path) == list(range(1, 41))


def test_a_step_is_there_however_the_attempt_ends(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        failed(AttemptCurve(LocalFolder(tmp_path), ATTEMPT), {"loss": math.nan})
    (row,) = read_curves(tmp_path).to_pylist()
    assert (row["run_id"], row["attempt"]) == ATTEMPT
    assert math.isnan(row["loss"])
    assert not getattr(caught.value, "__notes__", ())


def test_storage_that_refuses_for_a_while_loses_nothing(tmp_path: Path, every_step: None) -> None:
    folder = Refusing(tmp_path)
    with AttemptCurve(folder, ATTEMPT) as curve:
        for step in range(1, 10):
            folder.full = 3 < step < 8
            curve.log(step, {"loss": 0.5})
            assert len(steps_in(tmp_path)) == (3 if folder.full else step)


def test_storage_that_refuses_at_the_end_is_named_in_the_attempts_error(tmp_path: Path) -> None:
    folder = Refusing(tmp_path)
    folder.full = True
    curve = AttemptCurve(folder, ATTEMPT)
    with pytest.raises(ZeroDivisionError) as caught:
        failed(curve, {"loss": 0.5}, {"loss": 0.5})
    (note,) = caught.value.__notes__
    assert "2 steps" in note
    assert "no space left" in note
    with pytest.raises(StorageError):
        curve.keep(at_once)


def test_a_long_curve_is_in_several_files_that_are_written_once_when_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Any] = []
    real = module.write_chunk
    monkeypatch.setattr(module, "write_chunk", lambda *a: (written.append(a[2:]), real(*a)))
    with AttemptCurve(LocalFolder(tmp_path), ATTEMPT) as curve:
        for step in range(1, 2 * CHUNK_STEPS + 6):
            curve.log(step, {"loss": 0.5})
    assert [(number, len(points)) for number, points in written] == [
        (0, CHUNK_STEPS), (1, CHUNK_STEPS), (2, 5)
    ]  # fmt: skip
    assert steps_in(tmp_path) == list(range(1, 2 * CHUNK_STEPS + 6))


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_S", 0.0)
