"""Whole sweeps that trade quality against what it costs to answer, without Ray."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.status import RunStatus
from tests.unit.engine.small_sweep import small_sweep

pytestmark = pytest.mark.train
NUMBERS_PER_RANK = 2 * (2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 64))
"""Of an adapter on the tiny base: two layers, each q and o, k and v, gate, up and down."""
SIZE, SPEED = 2, 3
COSTS: list[dict[str, Any]] = [
    {"name": "size", "type": "system", "measure": "trainable_parameters", "range": [0, 1e4]},
    {"name": "speed", "type": "system", "measure": "tokens_per_s", "range": [0, 1e5]},
    {"name": "wait", "type": "system", "measure": "latency", "range": [0, 1]},
]


def swept(base: Path, home: Path, costs: list[dict[str, Any]], **given: Any) -> Any:
    """Return the state of a sweep that has run to its end."""
    from paretoflow.engine.loop.driver import Driver
    from paretoflow.engine.runtime.executor import Executor
    from paretoflow.engine.session.folder import enter_folder, sweep_root
    from paretoflow.ledger import open_ledger
    from paretoflow.proposers import build
    from paretoflow.spec.capabilities import CAPABILITIES
    from paretoflow.spec.search import axes_of
    from paretoflow.spec.sweep import SweepSpec
    from tests.benchmarks.methods.inline import InlineBackend

    method = given.pop("method", {"type": "dpo", "steps": 2, "batch_size": 2})
    plain = small_sweep("costs", base, home, method).model_dump(mode="json")
    plain["objectives"] += costs
    plain["search"] = {"rank": {"choices": [2, 8]}}
    spec = SweepSpec.model_validate({**plain, **given})
    root = sweep_root(spec)
    enter_folder(spec, root)
    m, launches = len(spec.objectives), CAPABILITIES[spec.method.type].launches
    axes = axes_of(spec.search, spec.method)
    proposer = build(spec.proposer, m=m, runs=spec.stop.runs, launches=launches, axes=axes)
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    driver = Driver(spec, ledger, InlineBackend(Executor(spec, root, threads=1)), proposer)
    driver.run()
    return driver.state


def rank_of(run: Any) -> float:
    return dict(run.proposal.settings)["rank"]


def require_finished(state: Any, runs: int) -> None:
    ended = [(r.status, r.message) for r in state.runs.values()]
    assert ended == [(RunStatus.FINISHED, "")] * runs


@pytest.fixture(scope="module")
def state(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a sweep by Gaussian processes, of three costs beside two objectives of the answers."""
    home = tmp_path_factory.mktemp("home")
    return swept(tiny_base_dir, home, COSTS, stop={"runs": 8}, proposer={"type": "gp_hvi"})


def test_every_launch_of_the_opening_and_after_it_finishes(state: Any) -> None:
    require_finished(state, 8)
    runs = [r for r in state.runs.values() if r.proposal.parent is None]
    alone = next(r for r in runs if r.proposal.weights.values[SIZE] == 1)
    (row,) = [e for e in state.evaluations if e.run_id == alone.run_id]
    (base,) = [e for e in state.evaluations if e.run_id == "base"]
    # nothing to train for: it answers as the base does, with the adapter's size
    np.testing.assert_array_equal(row.scores[:2], base.scores[:2])
    assert row.step == 0


def test_the_size_follows_from_the_rank(state: Any) -> None:
    assert NUMBERS_PER_RANK == 1024
    found = {e.run_id: (e.scores[SIZE], e.stderr[SIZE]) for e in state.evaluations}
    assert found.pop("base") == (0, 0)
    assert found == {r.run_id: (rank_of(r) * 1024, 0) for r in state.runs.values()}
    assert {size for size, _ in found.values()} == {2048, 8192}


def test_the_time_of_answers_is_measured(state: Any) -> None:
    for row in state.evaluations:
        speed, wait = row.scores[SPEED:]
        assert speed > 0
        assert wait > 0


@pytest.mark.full
def test_mixes_and_further_looks_are_measured_too(tiny_base_dir: Path, tmp_path: Path) -> None:
    proposer = {"type": "reevaluate", "of": {"type": "soups", "how": "frank_wolfe", "points": 3}}
    stop = {"runs": 8}
    state = swept(tiny_base_dir, tmp_path, COSTS[:1], stop=stop, proposer=proposer)
    require_finished(state, len(state.runs))
    kinds = {r.proposal.kind.value for r in state.runs.values()}
    assert kinds == {"weighted", "merge", "reevaluate"}
    mixed = [r.run_id for r in state.runs.values() if r.proposal.kind.value == "merge"]
    rows = [e for e in state.evaluations if e.run_id in mixed]
    assert len(rows) == len(mixed) > 0
    for row in rows:  # its rank is the sum of its parents' that have a part in it
        config = json.loads((tmp_path / "costs" / row.path / "adapter_config.json").read_text())
        assert row.scores[SIZE] == config["r"] * NUMBERS_PER_RANK > 2 * NUMBERS_PER_RANK


def test_one_artifact_for_all_preferences_serves_those_that_training_moves(
    tiny_base_dir: Path, tmp_path: Path
) -> None:
    method = {"type": "mah_dpo", "steps": 1, "batch_size": 2, "serve": {"points": 3}}
    proposer = {"type": "lattice"}
    state = swept(
        tiny_base_dir, tmp_path, COSTS[:1], method=method, proposer=proposer, stop={"runs": 1}
    )
    require_finished(state, 1)
    rows = [e for e in state.evaluations if e.run_id != "base"]
    assert [tuple(e.weights) for e in rows] == [(0, 1, 0), (0.5, 0.5, 0), (1, 0, 0)]
    assert len({e.scores[SIZE] for e in rows}) == 1


@pytest.mark.full
def test_constraints_on_a_cost_do_not_stop_a_sweep(tiny_base_dir: Path, tmp_path: Path) -> None:
    proposer = {"type": "cmorl", "initial": 3}
    state = swept(tiny_base_dir, tmp_path, COSTS[:1], proposer=proposer, stop={"runs": 6})
    require_finished(state, 6)
    assert {"weighted", "constrained"} == {r.proposal.kind.value for r in state.runs.values()}
