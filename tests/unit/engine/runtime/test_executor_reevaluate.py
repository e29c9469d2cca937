"""A whole sweep on the tiny base, without Ray, that evaluates snapshots again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from tests.unit.engine.small_sweep import small_sweep

pytestmark = pytest.mark.train


class Listed:
    """Proposes one launch after the other: train, look at that twice, look at the base."""

    def propose(self, history: Any, pending: Any, count: int, seed: int) -> list[Proposal]:
        number = len(history.runs) + len(pending)
        if pending or number > 3:
            return []
        half = WeightVector((0.5, 0.5))
        plain = Proposal(LaunchKind.WEIGHTED, half, 1, "Because.", "by hand")
        if number == 0:
            return [plain]
        parent = None if number == 3 else history.snapshot_ids[-1]
        return [replace(plain, kind=LaunchKind.REEVALUATE, parent=parent, seed=number)]


@pytest.fixture(scope="module")
def swept(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the folder of the sweep, its state and its events."""
    from paretoflow.engine.loop.driver import Driver
    from paretoflow.engine.runtime.executor import Executor
    from paretoflow.engine.session.folder import enter_folder, sweep_root
    from paretoflow.ledger import open_ledger
    from tests.benchmarks.methods.inline import InlineBackend

    method = {"type": "dpo", "steps": 2, "batch_size": 2, "pairs_per_prompt": 1}
    method["checkpoint_every"] = None
    plain = small_sweep("looks", tiny_base_dir, tmp_path_factory.mktemp("home"), method)
    spec = plain.model_copy(update={"stop": plain.stop.model_copy(update={"runs": 4})})
    root = sweep_root(spec)
    enter_folder(spec, root)
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    executor = Executor(spec, root, threads=1)
    driver = Driver(spec, ledger, InlineBackend(executor), Listed())
    driver.run()
    return Path(str(root)), driver.state, ledger.events()


def test_each_look_is_a_finished_run_that_trained_nothing(swept: Any) -> None:
    _, state, _ = swept
    assert (state.finished, state.failed) == (4, 0)
    assert [r.proposal.kind.value for r in state.runs.values()] == ["weighted"] + ["reevaluate"] * 3
    assert [row.draws for row in state.evaluations] == [2, 3]
    assert all(run.cost.tokens > 0 for run in state.runs.values())
    trained = state.evaluations[1].diagnostics
    acted = [v for name, v in trained.items() if name.startswith("effective_weight/")]
    assert len(acted) == 2
    assert sum(acted) == pytest.approx(1.0)


def test_the_ledger_keeps_every_draw_and_the_row_tells_their_mean(swept: Any) -> None:
    _, state, events = swept
    told = [e for e in events if e.kind.value == "evaluated"]
    assert Counter(e.snapshot_id for e in told) == {
        r.snapshot_id: r.draws for r in state.evaluations
    }
    assert len({e.event_id for e in told}) == len(told) == 5
    for row in state.evaluations:
        draws = [np.array(e.prompt_scores) for e in told if e.snapshot_id == row.snapshot_id]
        assert len({d.tobytes() for d in draws}) == len(draws)  # fresh noise each time
        np.testing.assert_allclose(row.prompt_scores, np.mean(draws, axis=0))
        np.testing.assert_allclose(row.scores, row.prompt_scores.mean(axis=1))
    assert len({(e.path, e.digest) for e in told if e.run_id != "base"}) == 2
    assert [e.payload.get("draw") for e in told] == [None, None, 1, 2, 1]


def test_views_exports_and_answers_show_one_point(swept: Any) -> None:
    from paretoflow.engine.read.sweep import read_sweep
    from paretoflow.exporters.tables import evaluations_table

    root, state, _ = swept
    view = read_sweep(root)
    assert [r.snapshot_id for r in view.evaluations] == [r.snapshot_id for r in state.evaluations]
    assert len({p.snapshot_id for p in view.front.points}) == len(view.front.points)
    assert evaluations_table(view)["draws"].to_pylist() == [2, 3]
    low, high = view.front.hypervolume_ci
    assert low <= view.front.hypervolume_corrected <= high
    name = state.evaluations[1].snapshot_id
    files = sorted(f.name for f in (root / "answers").iterdir())
    assert files == sorted(
        ["base.arrow", "base-d01.arrow", *(f"{name}{d}.arrow" for d in ("", "-d01", "-d02"))]
    )
