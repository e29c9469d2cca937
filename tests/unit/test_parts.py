"""The parts of `make test` hold every test once."""

from __future__ import annotations

from pathlib import Path

from tests.parts import parts

REPOSITORY = Path(__file__).parents[2]


def test_every_file_of_tests_is_in_one_part() -> None:
    places = [REPOSITORY / path for paths in parts().values() for path in paths]
    files = [
        f for f in (REPOSITORY / "tests").rglob("test_*.py") if "benchmarks" not in f.parts[-2]
    ]
    assert len(files) > 200
    for file in files:
        assert sum(place == file or place in file.parents for place in places) == 1, file
