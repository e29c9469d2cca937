"""The curve that a program writes: read while it grows, refused where it is none."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from paretoflow.methods.external.curve import CurveFile
from tests.faults import raises


@pytest.fixture
def logged() -> list[Any]:
    return []


@pytest.fixture
def file(tmp_path: Path, logged: list[Any]) -> CurveFile:
    return CurveFile(tmp_path / "curve.jsonl", lambda step, values: logged.append((step, values)))


def test_lines_are_passed_on_once_and_a_torn_one_when_it_is_whole(
    file: CurveFile, logged: list[Any], tmp_path: Path
) -> None:
    file.read()
    assert file.empty
    path = tmp_path / "curve.jsonl"
    path.write_text('{"step": 1, "loss": 2}\n{"step": 3, "lo')
    file.read()
    file.read()
    assert logged == [(1, {"loss": 2.0})]
    with path.open("a") as stream:
        stream.write('ss": NaN, "kl": -Infinity}\n')
    file.read()
    (step, values) = logged[1]
    assert (step, values["kl"]) == (3, -math.inf)
    assert math.isnan(values["loss"])
    assert not file.empty


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("loss 0.5", "no JSON"),
        ("[1]", "the whole"),
        ('{"loss": 1}', "step"),
        ('{"step": 0}', "step"),
        ('{"step": 2.5}', "step"),
        ('{"step": 2, "loss": "0.5"}', "loss"),
        ('{"step": 2, "loss": null}', "loss"),
        ('{"step": 2, "time_s": 1}', "time_s"),
        ('{"step": 1, "loss": 1}', "after 1"),
        ("[" * 100_000, "curve"),
    ],
)
def test_a_line_that_is_no_step_is_named(
    line: str, part: str, file: CurveFile, tmp_path: Path
) -> None:
    (tmp_path / "curve.jsonl").write_text(f'{{"step": 1}}\n{line}\n')
    with raises("usage-result", "curve.jsonl:2", part):
        file.read()
