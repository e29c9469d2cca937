from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paretoflow.engine.read.stored_spec import read_spec
from paretoflow.engine.read.sweep import front_ids, front_view, open_sweep_folder, read_sweep
from paretoflow.engine.read.worth import front_interval
from paretoflow.engine.session.folder import enter_folder
from paretoflow.ledger import open_ledger
from tests.faults import raises
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import CALIBRATED, base, folded, opened, proposed, scored, started


def test_every_snapshot_is_the_front_of_then(finished_sweep: Path) -> None:
    records = open_ledger(finished_sweep, writer=False).fronts()
    assert len(records) > 3
    for record in records:
        view = read_sweep(finished_sweep, record.number)
        assert view.front.snapshot == record.number
        assert {p.snapshot_id for p in view.front.points} == set(record.snapshot_ids)
        assert view.front.hypervolume == record.hypervolume
        assert view.front.hypervolume_ci == (record.hypervolume_low, record.hypervolume_high)
        assert view.front.finished == record.runs_finished
        opened_then = open_sweep_folder(finished_sweep, record.number)
        assert opened_then.fronts == tuple(records[: record.number + 1])
        assert front_ids(opened_then.state) == record.snapshot_ids


def test_the_latest_front_is_read_by_default(finished_sweep: Path) -> None:
    view = read_sweep(str(finished_sweep))
    records = open_ledger(finished_sweep, writer=False).fronts()
    assert view.front.snapshot == records[-1].number
    assert (view.front.finished, view.front.failed, view.front.pending) == (6, 0, 0)
    assert len(view.runs) == 6
    assert len(view.evaluations) == 12
    assert view.spec["name"] == "circle"
    first = [p.scores[0] for p in view.front.points]
    assert first == sorted(first, reverse=True)


def test_a_point_says_where_it_came_from(finished_sweep: Path) -> None:
    view = read_sweep(finished_sweep)
    runs = {r.run_id: r for r in view.runs}
    for point in view.front.points:
        run = runs[point.run_id]
        assert point.proposal == run.proposal
        assert point.kind == run.proposal.kind.value
        assert point.weights == run.proposal.weights.values
        assert point.cost == run.cost


@pytest.mark.parametrize("number", [-99, 99])
def test_a_snapshot_that_does_not_exist_names_those_that_do(
    finished_sweep: Path, number: int
) -> None:
    last = len(open_ledger(finished_sweep, writer=False).fronts()) - 1
    with raises("snapshot-not-found", f"snapshot {number} ", f"0 to {last}"):
        read_sweep(finished_sweep, number)


def test_a_folder_without_a_sweep_is_told_apart_from_a_damaged_one(tmp_path: Path) -> None:
    with raises("sweep-not-found", "sweep"):
        read_sweep(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with raises("sweep-not-found", "sweep"):
        read_spec(tmp_path / "file")
    (tmp_path / "spec.json").write_text('{"name": ')
    with raises("damaged", "spec.json", "JSON"):
        read_sweep(tmp_path)


def test_a_sweep_without_any_evaluation_has_no_front_yet(tmp_path: Path) -> None:
    enter_folder(circle_spec(), tmp_path)
    with raises("sweep-not-found", "ledger"):
        read_sweep(tmp_path)
    open_ledger(tmp_path, writer=True, create=True, fsync=False).append([opened()])
    with raises("sweep-not-found", "evaluation"):
        read_sweep(tmp_path)
    with raises("snapshot-not-found", "none yet"):
        read_sweep(tmp_path, 0)
    with raises("ledger", "no calibration"):
        front_view(open_sweep_folder(tmp_path).state, "circle", ())


def test_the_spec_that_is_read_is_the_one_that_was_written(finished_sweep: Path) -> None:
    spec = circle_spec(stop={"runs": 6}, storage=str(finished_sweep.parent))
    assert read_spec(finished_sweep) == json.loads(spec.model_dump_json())


def test_the_interval_comes_from_the_prompts_where_there_are_several() -> None:
    """By hand: one point spans score x (10 - words).

    Its two prompts scored (0.49, 4.9) and (0.51, 5.1). Drawn twice, either alone spans 2.499, and
    one of each 2.5, as the front itself does: the mean excess is -.0005, its variance .0005^2 times
    n / (n - 1) = 2, and t of one degree of freedom is 12.7.
    """
    state = folded(opened(), CALIBRATED, base((0.5, 5.0)))
    middle, half = 2.5 + 0.0005, 12.7062 * (2 * 0.0005**2 + 0.0005**2 / 8) ** 0.5
    np.testing.assert_allclose(front_interval(state), (middle - half, middle + half), atol=2e-4)


def test_without_prompts_the_interval_is_the_hypervolume(finished_sweep: Path) -> None:
    state = open_sweep_folder(finished_sweep).state
    assert front_interval(state) == (state.hypervolume, state.hypervolume)
    assert front_interval(folded(opened(), CALIBRATED)) == (0.0, 0.0)


def test_the_base_on_a_front_has_no_weights_and_no_folder() -> None:
    state = folded(
        opened(), CALIBRATED, base((0.5, 5.0)), proposed("a"), started("a"), scored("a", (0.9, 9))
    )
    best, untrained = front_view(state, "demo", ()).points
    assert (best.run_id, best.kind) == ("a", "weighted")
    assert (untrained.run_id, untrained.kind) == ("base", "base")
    assert (untrained.weights, untrained.path, untrained.proposal) == (None, "", None)
    np.testing.assert_allclose(best.stderr, (0.01, 0.1))
