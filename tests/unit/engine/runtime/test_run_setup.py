"""Launches with settings of their own, from training to the row of the ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from tests.unit.engine.runtime.test_continuum import Told
from tests.unit.engine.small_sweep import small_sweep

pytestmark = pytest.mark.train
METHOD = {"type": "dpo", "steps": 1, "batch_size": 2}


@pytest.fixture(scope="module")
def executor(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    from paretoflow.engine.runtime.executor import Executor
    from paretoflow.engine.session.folder import enter_folder, sweep_root

    spec = small_sweep("searched", tiny_base_dir, tmp_path_factory.mktemp("home"), METHOD)
    root = sweep_root(spec)
    enter_folder(spec, root)
    found = Executor(spec, root, threads=1)
    found.prepare()
    return found, Path(str(root))


def proposed(**settings: float) -> Proposal:
    weights, named = WeightVector((0.5, 0.5)), tuple(settings.items())
    return Proposal(LaunchKind.WEIGHTED, weights, 1, "Because.", "by hand", settings=named)


def execute(executor: tuple[Any, Path], run_id: str, **settings: float) -> tuple[Any, Told]:
    """Return the failure of a launch, if any, and its reports."""
    from paretoflow.core.launch import Launch

    told = Told()
    return executor[0].execute(Launch(run_id, 0, proposed(**settings)), told), told


def launched(executor: tuple[Any, Path], run_id: str, **settings: float) -> tuple[Any, Path]:
    """Return the row of a launch, and the folder of its adapter."""
    failure, told = execute(executor, run_id, **settings)
    assert failure is None
    row = next(e for r in told.reports for e in r.events if e.scores)
    return row, executor[1] / row.path


def config_of(folder: Path) -> tuple[int, dict[str, int]]:
    config = json.loads((folder / "adapter_config.json").read_text())
    return config["r"], config["rank_pattern"]


def weights_of(folder: Path) -> bytes:
    return (folder / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def plain(executor: tuple[Any, Path]) -> tuple[Any, Path]:
    return launched(executor, "r0000-aaaaaa")


def test_ranks_reach_the_adapter(executor: Any, plain: Any) -> None:
    row, folder = launched(executor, "r0001-aaaaaa", **{"rank": 3, "rank.q_proj": 1})
    assert config_of(plain[1]) == (2, {})
    assert config_of(folder) == (3, {"q_proj": 1})
    assert "condition" not in row.payload


def test_decoding_reaches_the_answers_alone_and_is_told(executor: Any, plain: Any) -> None:
    row, folder = launched(executor, "r0002-aaaaaa", temperature=0.2, top_p=0.5)
    assert weights_of(folder) == weights_of(plain[1])
    assert row.prompt_scores != plain[0].prompt_scores
    assert row.payload["condition"] == {"temperature": 0.2, "top_p": 0.5}
    assert row.snapshot_id == "r0002-aaaaaa-a0-s0001"

    # asked again without training, as a merge of the one adapter, it answers the same
    from paretoflow.core.launch import AdapterRef, Launch
    from paretoflow.core.merge import Merge

    merge = Merge("cat", ("r0000-aaaaaa-a0-s0001",), (1.0,))
    again = replace(proposed(temperature=0.2, top_p=0.5), kind=LaunchKind.MERGE, merge=merge)
    mixed = (AdapterRef(plain[0].path, plain[0].digest),)
    launch, told = Launch("r0009-aaaaaa", 0, again, merged=mixed), Told()
    assert executor[0].execute(launch, told) is None
    redrawn = next(e for r in told.reports for e in r.events if e.scores)
    assert redrawn.prompt_scores == row.prompt_scores
    assert redrawn.payload["condition"] == row.payload["condition"]


def test_the_next_launch_has_the_sweeps_own_again(executor: Any, plain: Any) -> None:
    _, slow = launched(executor, "r0003-aaaaaa", learning_rate=1e-6)
    assert weights_of(slow) != weights_of(plain[1])
    failure, _ = execute(executor, "r0004-aaaaaa", **{"rank.q_prok": 2})
    assert "`q_prok` bears no adapter; allowed: " in failure.message
    _, again = launched(executor, "r0005-aaaaaa")
    assert weights_of(again) == weights_of(plain[1])
