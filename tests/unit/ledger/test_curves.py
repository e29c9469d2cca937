"""Files of training curves: nothing logged is lost or hidden, and damage is found."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from paretoflow.core.curves import CurvePoint, attempts_in, by_worth
from paretoflow.core.errors import DamagedError
from paretoflow.ledger.curves import read_curves, write_chunk
from tests.faults import raises

RUN = "r0003-9f2c1a"


def point(step: int, **values: float) -> CurvePoint:
    return CurvePoint(step, 1e9 + step, values)


def test_what_was_logged_is_read_back_with_what_is_absent_and_what_is_not_finite(
    tmp_path: Path,
) -> None:
    write_chunk(tmp_path, (RUN, 0), 0, [point(1, loss=0.5), point(2, loss=math.nan, kl=-math.inf)])
    write_chunk(tmp_path, (RUN, 1), 0, [point(2, loss=0.25, reward=3.0)])
    write_chunk(tmp_path, ("r0010-000000", 0), 0, [point(7, grad_norm=math.inf)])
    table = read_curves(tmp_path)
    assert table.column_names[:4] == ["run_id", "attempt", "step", "time_s"]
    rows = table.to_pylist()
    assert [(r["run_id"], r["attempt"], r["step"]) for r in rows] == [
        (RUN, 0, 1), (RUN, 0, 2), (RUN, 1, 2), ("r0010-000000", 0, 7)
    ]  # fmt: skip
    assert rows[0]["loss"] == 0.5
    assert math.isnan(rows[1]["loss"])
    assert (rows[1]["kl"], rows[0]["kl"], rows[2]["reward"]) == (-math.inf, None, 3.0)
    assert read_curves(tmp_path, RUN).num_rows == 3


def test_files_are_read_in_the_order_of_their_numbers_and_attempts(tmp_path: Path) -> None:
    for attempt in (10, 2):
        for number in (10000, 2):
            write_chunk(tmp_path, (RUN, attempt), number, [point(number + 1, loss=0.0)])
    found = [(r["attempt"], r["step"]) for r in read_curves(tmp_path).to_pylist()]
    assert found == [(2, 3), (2, 10001), (10, 3), (10, 10001)]


def test_a_sweep_without_curves_has_a_table_without_rows(tmp_path: Path) -> None:
    assert read_curves(tmp_path).num_rows == 0
    assert attempts_in(read_curves(tmp_path)) == []


def test_a_name_that_is_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="attempt"):
        write_chunk(tmp_path, (RUN, 0), 0, [point(1, attempt=3.0)])


def test_a_damaged_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    for attempt in range(4):
        write_chunk(tmp_path, (RUN, attempt), 0, [point(1, loss=0.5)])
    changed, torn, swapped = (
        tmp_path / f"curves/{RUN}/a{attempt}/0000.arrow" for attempt in range(3)
    )
    swapped.write_bytes(changed.read_bytes())
    content = bytearray(changed.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    torn.write_bytes(torn.read_bytes()[:100])
    with raises("damaged", changed.name):
        read_curves(tmp_path)
    damaged: list[DamagedError] = []
    assert read_curves(tmp_path, damaged=damaged.append)["attempt"].to_pylist() == [3]
    assert [e.where for e in damaged] == [str(changed), str(torn), str(swapped)]


def test_an_attempt_says_its_ends_its_largest_and_what_is_not_finite(tmp_path: Path) -> None:
    points = [point(1, loss=0.5, grad_norm=2.0), point(2, kl=0.1, grad_norm=math.nan)]
    write_chunk(tmp_path, (RUN, 0), 0, [*points, point(4, loss=0.25, grad_norm=math.inf)])
    (attempt,) = attempts_in(read_curves(tmp_path))
    assert (attempt.ends("loss"), attempt.ends("kl"), attempt.ends("reward")) == (
        "0.5 to 0.25", "0.1 to 0.1", "",
    )  # fmt: skip
    assert attempt.largest("grad_norm") == "nan"
    assert attempt.not_finite() == ["grad_norm nan at step 2", "grad_norm inf at step 4"]


def test_values_that_readers_look_for_come_first() -> None:
    names = ["epoch", "rewards/b/mean", "grad_norm", "rewards/chosen", "kl", "loss/a", "loss"]
    assert by_worth(names) == [
        "loss", "rewards/b/mean", "kl", "grad_norm", "loss/a", "rewards/chosen", "epoch"
    ]  # fmt: skip
