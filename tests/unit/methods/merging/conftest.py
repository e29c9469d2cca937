from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paretoflow.spec.methods import DpoMethodSpec
from tests.method_bench import make_context, train, weighted

TOWARDS = {"length": weighted(1.0, 0.0, 0.0), "vowels": weighted(0.0, 1.0, 0.0)}


@pytest.fixture(scope="module")
def context(tiny_lm: Any) -> Any:
    return make_context(tiny_lm)


@pytest.fixture(scope="module")
def experts(context: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Checkpoints of a run for each of two objectives, the last one last."""
    spec = DpoMethodSpec(steps=6, batch_size=4, learning_rate=5e-3, checkpoint_every=2)
    found = {}
    for name, proposal in TOWARDS.items():
        run = train(context, spec, proposal, tmp_path_factory.mktemp(name), seed=len(name))
        found[name] = [c.folder for c in run.checkpoints]
    return found


@pytest.fixture
def finals(experts: dict[str, list[Path]]) -> list[Path]:
    return [folders[-1] for folders in experts.values()]
