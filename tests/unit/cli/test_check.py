from __future__ import annotations

import json
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from tests.faults import only_printed

QUICKSTART = str(Path(__file__).parents[3] / "jobs" / "quickstart.yaml")
SWEEP = """\
name: tiny
objectives:
  - {name: coverage, type: rouge, unit: "[share]", range: [0, 1], ref: 0}
  - {name: words, type: length}
stop: {runs: 12, hours: 5}
engine: {worker_groups: 2, price: 2, resources: {gpus_per_rank: 0.5}}
"""


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(SWEEP)
    return "job.yaml"


def test_the_plan_is_printed(job, capsys):
    assert main(["check", job]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for part in (
        "tiny is valid; it lives in sweeps/tiny (new)",
        "coverage rouge maximize [share] 0 to 1 0",
        "words length minimize calibrated at the start calibrated at the start",
        "proposer portfolio (auto, 2 objectives)",
        "worker groups 2 with 1 CPU and 0.5 GPU each",
        "stops at 12 runs or 5 hours",
        "1 weighted 1 0 Opening stage",
        "3 weighted 0.5 0.5",
        "96 x 4 + 64 = 448 answers sampled",
        "12 runs x 40 steps x 8 = 3,840 pairs",
        "25 checkpoints (base included) x 48 prompts = 1,200 answers",
        "at most 10 (1 devices at 2 an hour",
    ):
        assert part in shown


def test_json_carries_the_resolved_spec_and_the_plan(job, capsys):
    argv = ["check", job, "--format", "json", "--set", "stop.runs=3", "--storage", "elsewhere"]
    assert main(argv) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["spec"]["stop"]["runs"] == 3
    assert plan["folder"] == "elsewhere/tiny"
    assert plan["exists"] is False
    assert [launch["weights"] for launch in plan["opening"]] == [[1, 0], [0, 1], [0.5, 0.5]]
    assert plan["work"]["evaluations"] == 7
    assert plan["capabilities"]["data"] == "pairs"


def test_an_existing_sweep_is_announced(job, capsys):
    folder = Path("sweeps/tiny")
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text("{}")
    assert main(["check", job]) == 0
    assert "a sweep exists there" in capsys.readouterr().out


def test_a_faulty_option_is_told(job, capsys):
    assert main(["check", job, "--set", "method.beta=-1"]) == 2
    told = only_printed(capsys.readouterr().err, "spec-not-allowed", "-1")
    assert told.line.startswith("--set method.beta: ")


def test_check_needs_no_terminal_width(job, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["check", QUICKSTART]) == 0
    assert "Opening stage" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("engine.price=0", "not counted"),
        ("stop.hours=null", "only the runs bound it"),
        ("stop.cost=4", "at most 4"),
        ("stop.gain_below=0.005", "or an expected gain below 0.50% a run"),
    ],
)
def test_the_cost_says_what_bounds_it(job, capsys, option, says):
    assert main(["check", job, "--set", option]) == 0
    assert says in capsys.readouterr().out


def test_the_axes_of_a_search_are_told_and_the_first_launches_show_their_draws(job, capsys):
    search = "\nsearch:\n  rank: {choices: [8, 4]}\n  beta: {low: 0.05, high: 1, scale: log}\n"
    Path(job).write_text(SWEEP + search)
    assert main(["check", job]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "search beta 0.05 to 1 (log), rank 4, 8" in shown
    assert "drawn evenly: beta 0." in shown
