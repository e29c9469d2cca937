"""Whole sweeps by the engine's driver, on one thread of this process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from paretoflow.core.status import Boundary, RunStatus
from paretoflow.engine.read.sweep import read_sweep
from paretoflow.engine.session.folder import sweep_root
from paretoflow.ledger.tables import EventKind

pytest.importorskip("mo_gymnasium", reason="needs the extra `bench`")
pytest.importorskip("torch", reason="needs the extra `train`")

from tests.benchmarks.morl.executor import MorlExecutor
from tests.benchmarks.morl.spec import load_job
from tests.benchmarks.morl.sweep import drive, execute
from tests.benchmarks.morl.training import train

pytestmark = pytest.mark.train


def small(tmp_path, runs: int, **method):
    proposer = {"type": "cmorl", "initial": 2}
    changes = {"storage": str(tmp_path), "stop": {"runs": runs}, "proposer": proposer}
    spec = load_job("deep_sea_treasure", **changes)
    knobs = {"steps": 6, "checkpoint_every": 3, **method}
    workers = {"engine": spec.engine.model_copy(update={"worker_groups": 1})}
    return spec.model_copy(update={"method": spec.method.model_copy(update=knobs), **workers})


def swept(spec):
    executor = MorlExecutor(spec, sweep_root(spec), 1)
    with ThreadPoolExecutor(1) as pool:
        return drive(spec, pool, partial(execute, executor))


def test_a_sweep_is_one_like_any_other_and_goes_on(tmp_path) -> None:
    """Its folder is read like any sweep's; with more runs it continues from its ledger."""
    swept(small(tmp_path, 2))
    state = swept(small(tmp_path, 3))
    assert [r.status for r in state.runs.values()] == [RunStatus.FINISHED] * 3
    assert len(state.evaluations) == 1 + 3 * 2
    assert state.evaluations[0].cost.tokens > 0
    view = read_sweep(sweep_root(small(tmp_path, 3)))
    assert view.front.hypervolume == state.hypervolume > 0
    kinds = {r.proposal.kind.value for r in state.runs.values()}
    assert kinds == {"weighted", "constrained"}


def test_a_run_that_fails_is_a_row_and_ends_no_other(tmp_path, monkeypatch) -> None:
    def failing(spec, proposal, policy):
        if proposal.weights.values == (1.0, 0.0):
            raise FloatingPointError("it came apart")
        return train(spec, proposal, policy)

    monkeypatch.setattr("tests.benchmarks.morl.executor.train", failing)
    state = swept(small(tmp_path, 3))
    first, *others = state.runs.values()
    assert first.status is RunStatus.FAILED
    assert first.boundary is Boundary.METHOD
    assert "it came apart" in first.message
    assert [r.status for r in others] == [RunStatus.FINISHED] * 2


def test_noise_is_told_as_a_standard_error(tmp_path) -> None:
    spec = load_job("minecart", storage=str(tmp_path))
    events = MorlExecutor(spec, sweep_root(spec), 1).prepare()
    assert [e.kind for e in events] == [EventKind.CALIBRATED, EventKind.EVALUATED]
    rows = np.array(events[1].prompt_scores)
    assert rows.shape == (3, spec.environment.evaluations)
    assert events[1].stderr == pytest.approx(rows.std(axis=1, ddof=1) / rows.shape[1] ** 0.5)
