"""The parts of `make test` hold every test once."""

from __future__ import annotations

from pathlib import Path

from tests.parts import parts

REPOSITORY = Path(__file__).parents[2]


ELSEWHERE = ("benchmarks", "vllm")
"""Folders with targets of their own in the Makefile."""


def test_every_file_of_tests_is_in_one_part() -> None:
    places = [REPOSITORY / path for paths in parts().values() for path in paths]
    found = (REPOSITORY / "tests").rglob("test_*.py")
    files = [f for f in found if f.parts[-2] not in ELSEWHERE]
    assert len(files) > 200
    for file in files:
        assert sum(place == file or place in file.parents for place in places) == 1, file
