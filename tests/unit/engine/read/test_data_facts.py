"""What became of the rows of the data, from the worker's row to every reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paretoflow.cli.main import main
from paretoflow.core.data_facts import DataFacts
from paretoflow.core.values import Problem
from paretoflow.engine.read.status import StandingReader, facts
from paretoflow.engine.read.sweep import read_sweep
from paretoflow.engine.state.events import calibrated
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.report.page import render
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep

FACTS = DataFacts(50, 1, ("f.jsonl:3: <b>",), 0, 1, 8, (("ask a", "ask b"),))


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a simulated sweep whose calibration tells of its data."""
    from paretoflow.engine.simulation import backend as simulated

    def told(problem: Problem, time_s: float) -> Any:
        return calibrated(problem, time_s, FACTS)

    monkeypatch.setattr(simulated, "calibrated", told)
    root = simulated_sweep(circle_spec(stop={"runs": 3}, storage=str(tmp_path)), CircleOracle())
    assert isinstance(root, Path)
    return root


def test_status_tells_them(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = facts(StandingReader(sweep).look(0.0))["data"]
    assert DataFacts.from_dict(found) == FACTS
    assert main(["status", str(sweep)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "data 1 of 50 rows were left out: f.jsonl:3: <b>" in shown
    assert "data 1 of 8 eval prompts nearly repeats" in shown


def test_the_report_tells_them(sweep: Path) -> None:
    view = read_sweep(sweep)
    assert view.data_facts == FACTS
    page = render(view)
    assert "Data: 1 of 50 rows were left out: f.jsonl:3: &lt;b&gt;." in page
    assert "&#x27;ask a&#x27; and &#x27;ask b&#x27;." in page


def test_a_sweep_of_an_earlier_version_has_nothing_to_tell() -> None:
    row = calibrated(Problem(()), 0.0)
    assert "data_facts" not in row.payload
    assert SweepState().data_facts == DataFacts()


def test_control_characters_of_prompts_reach_no_terminal() -> None:
    facts = DataFacts(9, 1, ("f:1: \x1b[2J",), 0, 1, 8, (("a\x1b]0;x\x07", "b"),))
    assert not [line for line in facts.lines() if "\x1b" in line or "\x07" in line]
