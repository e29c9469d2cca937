"""A change of the inputs of scores: recorded by the driver, shown by status, report and exports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import paretoflow
from paretoflow.cli.main import main
from paretoflow.core.errors import ChangedInputsError
from paretoflow.core.inputs import Changes, Inputs, require_same
from paretoflow.core.values import Problem
from paretoflow.engine.cluster.submit import entrypoint
from paretoflow.engine.failures.attribution import failure_of
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.hooks import Hooks
from paretoflow.engine.session.folder import enter_folder
from paretoflow.engine.simulation.backend import SimulatedBackend, SimulatedCluster
from paretoflow.engine.state.events import evaluation_of, noted, recorded
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.proposers import build
from paretoflow.scoring.calibrate import declared_problem
from tests.faults import raises
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import CALIBRATED, base, folded

FIRST = Inputs({"eval": "a" * 24}, {"model": {"w": "1"}}, {}, {"torch": "2.13.0"})
OTHER = replace(FIRST, prompts={"eval": "a" * 12 + "b" * 12})
PATCHED = replace(FIRST, versions={"torch": "2.13.1"})


class Worker(SimulatedBackend):
    """A simulated backend whose workers compare what they have, as real ones do."""

    def __init__(self, cluster: SimulatedCluster, inputs: Inputs) -> None:
        super().__init__(cluster)
        self._inputs = inputs

    def prepare(self, problem: Problem | None) -> list[Event]:
        told = super().prepare(problem)
        if problem is None:
            first = replace(told[0], payload={**told[0].payload, "inputs": self._inputs.to_dict()})
            return [first, *told[1:]]
        found = require_same(problem.inputs, self._inputs) if problem.inputs else Changes()
        same = problem.inputs is not None and not found
        return [] if same else [noted(self._inputs, found, self.now())]


def session(storage: Path, runs: int, inputs: Inputs | None, *, accept: bool = False) -> str:
    """Run a session of a sweep; without inputs, by a version that notes none. Return its place."""
    spec = circle_spec(stop={"runs": runs}, storage=str(storage))
    root = storage / spec.name
    enter_folder(spec, root)
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    events = ledger.events()
    problem = declared_problem(spec.objectives)
    start = events[-1].time_s if events else 0.0
    cluster = SimulatedCluster(
        CircleOracle(), problem, spec.engine, seed=spec.seed, faults=None, start_s=start
    )
    backend = SimulatedBackend(cluster) if inputs is None else Worker(cluster, inputs)
    proposer = build(spec.proposer, m=problem.m, runs=runs)
    Driver(spec, ledger, backend, proposer, Hooks(accept_change=accept)).run()
    return str(root)


def noted_in(root: str) -> Sequence[dict[str, Any]]:
    events = open_ledger(root, writer=False).events()
    return [e.payload for e in events if e.kind is EventKind.INPUTS]


def test_a_change_stops_the_session_before_anything_is_trained(tmp_path: Path) -> None:
    root = session(tmp_path, 2, FIRST)
    with raises("changed-inputs", "1", "2 eval"):
        session(tmp_path, 4, OTHER)
    assert len(paretoflow.open_sweep(root).view().runs) == 2
    session(tmp_path, 3, FIRST)  # with the former input, the sweep continues
    assert noted_in(root) == []


def test_an_accepted_change_is_recorded_and_told_by_every_reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = session(tmp_path, 2, FIRST)
    session(tmp_path, 4, OTHER, accept=True)
    session(tmp_path, 5, OTHER)  # it is the sweep's own from now on
    with pytest.raises(ChangedInputsError):
        session(tmp_path, 6, FIRST)
    assert [p["accepted"] for p in noted_in(root)] == [["data: 1 of 2 eval prompts differ"]]
    view = paretoflow.open_sweep(root).view()
    assert [(c.stops, c.told) for c in view.changes] == [
        (("data: 1 of 2 eval prompts differ",), ())
    ]
    assert 0 < view.changes[0].evaluations < len(view.evaluations)
    words = "are not alike in: data: 1 of 2 eval prompts differ"
    assert main(["status", root]) == 0
    assert words in " ".join(capsys.readouterr().out.split())
    assert main(["status", root, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"][0]["accepted"] == [
        "data: 1 of 2 eval prompts differ"
    ]
    sweep = paretoflow.open_sweep(root)
    assert words in sweep.report(tmp_path / "r.html").read_text()
    for tag in ("folder", "hub-folder"):
        out = sweep.export(tmp_path / tag, format=tag)
        assert words in (out / "README.md").read_text()
        changes = json.loads((out / "manifest.json").read_text())["changes"]
        assert [c["accepted"] for c in changes] == [["data: 1 of 2 eval prompts differ"]]
        assert main(["verify", str(out)]) == 0
    before = sweep.view(0)  # a front from before the change has none
    assert before.changes == ()


def test_accepting_where_nothing_changed_records_nothing(tmp_path: Path) -> None:
    root = session(tmp_path, 2, FIRST, accept=True)
    session(tmp_path, 3, FIRST, accept=True)
    assert noted_in(root) == []
    assert "changes" not in json.loads(
        (paretoflow.open_sweep(root).export(tmp_path / "out") / "manifest.json").read_text()
    )


def test_a_patch_is_noted_once_and_makes_nothing_unlike(tmp_path: Path) -> None:
    root = session(tmp_path, 2, FIRST)
    session(tmp_path, 3, PATCHED)
    session(tmp_path, 4, PATCHED)
    assert [(p["accepted"], p["noted"]) for p in noted_in(root)] == [
        ([], ["version of torch: 2.13.0 became 2.13.1"])
    ]
    sweep = paretoflow.open_sweep(root)
    assert "noted: version of torch" in str(sweep.view().changes[0])
    assert "not alike" not in (sweep.export(tmp_path / "out") / "README.md").read_text()


def test_a_sweep_of_an_older_version_is_taken_as_it_is_and_noted_from_then_on(
    tmp_path: Path,
) -> None:
    root = session(tmp_path, 2, None)
    session(tmp_path, 3, FIRST)
    assert [(p["accepted"], p["noted"]) for p in noted_in(root)] == [([], [])]
    assert paretoflow.open_sweep(root).view().changes == ()
    with pytest.raises(ChangedInputsError):
        session(tmp_path, 4, OTHER)


def test_a_change_that_a_run_meets_is_of_the_data_and_not_tried_again() -> None:
    failure = failure_of(ChangedInputsError("something has changed"))
    assert (failure.boundary, failure.retryable) == ("data", False)


def test_on_a_cluster_the_command_there_accepts_it() -> None:
    assert entrypoint("s3://b/x", accept_change=True).endswith("--address auto --accept-change")
    assert "accept" not in entrypoint("s3://b/x")


def test_what_a_row_was_scored_with_is_no_note() -> None:
    rows = [CALIBRATED, replace(base(), payload={"inputs": FIRST.digest})]
    assert recorded(rows, None, 0) == rows
    told = noted(FIRST, Changes(), 1.0)
    assert [e.event_id for e in recorded([told], folded(CALIBRATED).problem, 3)] == ["inputs:3"]
    assert evaluation_of(rows[1], 0.0).inputs == FIRST.digest
