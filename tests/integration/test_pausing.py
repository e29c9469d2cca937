"""A sweep on a real Ray whose worker group is asked to pause runs; what it trains costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import EventKind
from tests.integration.pausing_executor import PAUSING
from tests.sim.specs import circle_spec

pytest.importorskip("ray")
from paretoflow.engine.session.run import run_sweep

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.mark.full
def test_a_warm_group_pauses_what_is_outdone_and_trains_the_next_run(tmp_path: Path) -> None:
    spec = circle_spec(
        storage=str(tmp_path),
        method={"type": "dpo", "steps": 12, "checkpoint_every": 1},
        proposer={"type": "lattice"},
        stop={"runs": 4, "rungs": {"reduction": 3, "first": 2}},
        engine={"worker_groups": 1},
    )
    run_sweep(spec, fsync=False, executor=PAUSING)
    events = open_ledger(tmp_path / "circle", writer=False).events()
    paused = [e for e in events if e.kind is EventKind.PAUSED]
    assert [e.run_id[:5] for e in paused[:2]] == ["r0001", "r0002"]
    assert "dominates it by more than noise" in paused[0].message
    # it heard of it within a few steps, and nothing failed: the worker group went on with the next
    # run
    assert all(2 <= e.step < 12 for e in paused)
    assert not [e for e in events if e.kind in (EventKind.FAILED, EventKind.STOPPED)]
    # of four at the rung two go on: the second is taken up where it was, to be outdone once more
    resumed = [e for e in events if e.kind is EventKind.STARTED and e.attempt == 1]
    assert [e.run_id[:5] for e in resumed] == ["r0001"]
    steps = [e.step for e in events if e.kind is EventKind.EVALUATED and e.run_id[:5] == "r0001"]
    assert steps == list(range(1, len(steps) + 1))
