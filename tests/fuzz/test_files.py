"""Damaged files of a sweep, for some seconds; `python -m tests.fuzz.files` runs longer."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from paretoflow.core.errors import ParetoflowError
from tests.fuzz import files
from tests.fuzz.files import Place, faults_of, fuzz, prepared

SECONDS = 10.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return prepared(tmp_path_factory.mktemp("place"))


def test_no_damage_ends_in_a_traceback_a_hang_or_another_answer(place: Place) -> None:
    shown: list[str] = []
    counted = fuzz(place, 20261130, SECONDS, shown.append)
    assert counted.pop("mutants") > 3
    assert not counted, "\n".join(shown)


def test_what_is_damaged_is_whole_before(place: Place) -> None:
    assert faults_of(place, place.root / "spec.json", Random(1)) == []
    kinds = {files._kind(path, place.root) for path in files._files(place.root)}
    assert kinds >= {
        "answers", "events data ", "events log .json", "export-json", "fragments",
        "fronts data ", "fronts log .json", "live.json", "spec.json",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (KeyError("no such thing"), "KeyError: 'no such thing'"),
        (ParetoflowError("it is damaged"), "an error without a place"),
        (None, "altered"),
    ],
)
def test_a_fault_would_be_found(
    place: Place, raised: Exception | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(root: Path) -> object:
        if raised is not None:
            raise raised
        return "another front"

    (fault,) = files._fault(place, "front", read)
    assert said in fault
