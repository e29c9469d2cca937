"""Complete trainer states, and the choice of the state to continue from."""

from __future__ import annotations

from pathlib import Path

import pytest

from paretoflow.core.errors import MethodError
from paretoflow.core.protocols import Parallel
from paretoflow.methods.training.states import (
    MANIFEST,
    Layout,
    TrainerState,
    discard_states,
    latest_state,
    read_state,
    require_state,
    seal,
    state_folder,
)
from tests.faults import raises

ALONE = Layout.of(Parallel())


def saved(attempt: Path, step: int, layout: Layout = ALONE) -> Path:
    """Write a whole state of two files, one of them in a folder of its own."""
    folder = state_folder(attempt, step)
    (folder / "global_step").mkdir(parents=True)
    (folder / "global_step" / "rank0.pt").write_bytes(b"moments" * step)
    (folder / "scheduler.pt").write_bytes(b"rate")
    files = ["global_step/rank0.pt", "scheduler.pt"]
    seal(TrainerState(folder, step, layout, (0.1 + 0.2, 1 / 3)), files)
    return folder


def test_what_is_sealed_is_read_back_to_the_last_bit(tmp_path):
    folder = saved(tmp_path, 7)
    assert read_state(folder) == TrainerState(folder, 7, ALONE, (0.1 + 0.2, 1 / 3))


def test_a_newer_state_takes_the_place_of_the_older(tmp_path):
    older, newer = saved(tmp_path, 2), saved(tmp_path, 10)
    assert (older.exists(), newer.exists()) == (False, True)
    discard_states(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", [MANIFEST, "scheduler.pt", "global_step/rank0.pt"])
@pytest.mark.parametrize("half", [True, False])
def test_a_file_that_is_missing_or_half_written_tears_a_state(file, half, tmp_path):
    folder = saved(tmp_path, 3)
    whole = (folder / file).read_bytes()
    (folder / file).unlink()
    if half:
        (folder / file).write_bytes(whole[: len(whole) // 2])
    assert read_state(folder) is None
    assert latest_state([tmp_path]) is None
    with raises("training-state", "torn"):
        require_state(folder, Parallel())


def test_a_file_that_changed_its_content_but_not_its_size_tears_a_state(tmp_path):
    folder = saved(tmp_path, 3)
    (folder / "scheduler.pt").write_bytes(b"etar")
    assert read_state(folder) is None


@pytest.mark.parametrize("text", ["[]", "{}", '{"step": 1, "files": 3}', "null"])
def test_a_manifest_of_something_else_is_none(text, tmp_path):
    folder = saved(tmp_path, 3)
    (folder / MANIFEST).write_text(text)
    assert read_state(folder) is None


def test_no_folder_is_no_state(tmp_path):
    assert read_state(tmp_path / "none") is None
    assert latest_state([]) is None
    assert latest_state([tmp_path / "none", tmp_path]) is None


def test_the_most_steps_count_and_then_the_later_attempt(tmp_path):
    first, second, third = (tmp_path / name for name in "abc")
    saved(first, 10)
    far = saved(second, 12)
    assert latest_state([first, second, third]) == far
    again = saved(third, 12)
    assert latest_state([first, second, third]) == again
    (again / "scheduler.pt").unlink()
    assert latest_state([first, second, third]) == far


def test_a_state_is_for_the_kind_of_group_that_saved_it(tmp_path):
    pair = Parallel(rank=1, ranks=2, zero=3)
    folder = saved(tmp_path, 4, Layout.of(pair))
    assert latest_state([tmp_path]) is None
    assert latest_state([tmp_path], pair) == folder
    assert latest_state([tmp_path], Parallel(rank=0, ranks=2, zero=3)) == folder
    with pytest.raises(MethodError) as caught:
        require_state(folder, Parallel())
    assert "2 ranks at ZeRO 3; allowed: 1 rank at ZeRO 0" in caught.value.what
