"""Fixtures shared by the contract tests of methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import tiny_base
from tests.method_bench import make_context

if TYPE_CHECKING:
    from paretoflow.lm.base import LanguageModel
    from paretoflow.methods.training.context import MethodContext


@pytest.fixture(scope="session")
def tiny_base_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random one-layer Llama: most contract tests train it."""
    return tiny_base(tmp_path_factory.mktemp("tiny_base"), layers=1)


@pytest.fixture(scope="module")
def context(tiny_lm: LanguageModel) -> MethodContext:
    """Return a method's surroundings in small."""
    return make_context(tiny_lm)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, float]]:
    """Return the list that every step's log is appended to."""
    from paretoflow.methods.training.checkpoints import CheckpointCallback

    seen: list[dict[str, float]] = []
    own = CheckpointCallback.on_log

    def on_log(self: Any, args: Any, state: Any, control: Any, **given: Any) -> None:
        if "loss" in given["logs"]:
            seen.append(dict(given["logs"]))
        own(self, args, state, control, **given)

    monkeypatch.setattr(CheckpointCallback, "on_log", on_log)
    return seen
