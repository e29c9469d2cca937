"""Loading of a method's module."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

from paretoflow.methods import without_trackers


def test_trackers_are_out_of_sight_while_a_method_is_loaded_and_back_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    before = find_spec("wandb")
    with without_trackers():
        assert find_spec("wandb") is None
    assert "wandb" not in sys.modules
    assert find_spec("wandb") == before


def test_a_tracker_that_is_in_use_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    there = type(sys)("wandb")
    monkeypatch.setitem(sys.modules, "wandb", there)
    with without_trackers():
        assert sys.modules["wandb"] is there
    assert sys.modules["wandb"] is there
