from __future__ import annotations

import pytest

from paretoflow.exporters.reading import is_inside


@pytest.mark.parametrize("name", ["a", "a/b.json", "adapters/r0-a0-s0/x"])
def test_paths_inside(name: str) -> None:
    assert is_inside(name)


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../../b", "a\\..\\b"])
def test_paths_that_may_leave_the_folder(name: str) -> None:
    assert not is_inside(name)
