"""Loading of a method's module."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

from paretoflow.methods.distributed.untracked import without_trackers


@pytest.mark.parametrize("tracker", ["mlflow", "wandb"])
def test_trackers_are_out_of_sight_while_a_method_is_loaded_and_back_after(
    tracker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, tracker, raising=False)
    before = find_spec(tracker)
    with without_trackers():
        assert find_spec(tracker) is None
    assert tracker not in sys.modules
    assert find_spec(tracker) == before


def test_a_tracker_that_is_in_use_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    there = type(sys)("wandb")
    monkeypatch.setitem(sys.modules, "wandb", there)
    with without_trackers():
        assert sys.modules["wandb"] is there
    assert sys.modules["wandb"] is there
