from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paretoflow.cli.main import main
from tests.faults import only_printed
from tests.unit.cli.circle_job import CIRCLE, ORACLE

MINE = '''
"""Exact on a straight front; the second checkpoint is better."""


class Straight:
    def launch(self, proposal, rng):
        left, right = proposal.weights
        cost = float(rng.uniform(1, 2))
        return [(cost, [left / 2, right / 2]), (cost, [left, right], [0.01, 0.02])]


def straight():
    return Straight()
'''


@pytest.fixture(autouse=True)
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The current folder holds a job and an oracle."""
    (tmp_path / "job.yaml").write_text(CIRCLE)
    (tmp_path / "my_oracles.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("my_oracles", None)


def simulated(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, Any]:
    base = ["simulate", "job.yaml", "--format", "json", "--oracle", "my_oracles:straight"]
    assert main([*base, *words]) == status
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


def test_json_has_the_front_and_the_launches(capsys: pytest.CaptureFixture[str]) -> None:
    facts = simulated(capsys, "--runs", "8", "--seed", "11")
    assert set(facts) == {
        "sweep",
        "snapshot",
        "ref_point",
        "hypervolume",
        "hypervolume_ci",
        "hypervolume_corrected",
        "objectives",
        "points",
        "runs",
        "launches",
        "virtual_s",
        "why",
    }
    assert facts["runs"] == {"finished": 8, "failed": 0, "pending": 0}
    assert facts["objectives"][0] == {"name": "left", "direction": "maximize"}
    assert facts["ref_point"] == [-0.1, -0.1]
    point = facts["points"][0]
    provenance = {"snapshot_id", "run_id", "kind", "weights", "merge", "settings", "condition"}
    assert set(point) == provenance | {"scores", "stderr", "n", "doubt", "rival"}
    assert point["scores"] == {"left": 1.0, "right": 0.0}
    assert point["stderr"] == {"left": 0.01, "right": 0.02}
    assert len(facts["launches"]) == 8
    launch = facts["launches"][0]
    assert {"run_id", "status", "kind", "weights", "seed", "reason", "proposer"} <= set(launch)


def test_the_same_twice_gives_the_same_launches_and_another_seed_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    weather = ("--crash", "0.3", "--straggle", "0.3", "--workers", "3", "--runs", "20")
    first = simulated(capsys, *weather, "--seed", "1")
    assert simulated(capsys, *weather, "--seed", "1") == first
    other = simulated(capsys, *weather, "--seed", "2")
    assert other["launches"] != first["launches"]


def test_an_empty_front_is_still_json(capsys: pytest.CaptureFixture[str]) -> None:
    hopeless = ("--oracle", "tests.sim.oracles:HopelessOracle")
    facts = simulated(capsys, *hopeless, "--runs", "3", status=1)
    assert facts["points"] == []
    assert facts["runs"] == {"finished": 0, "failed": 3, "pending": 0}
    assert facts["hypervolume"] == 0.0


def test_text_tells_each_launch_and_the_front(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "job.yaml", "--oracle", ORACLE, "--set", "stop.runs=5"]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert sum(" finished: " in line for line in lines) == 5
    assert any(line.startswith("done after ") and "all 5 runs" in line for line in lines)
    assert "5 runs finished, 0 failed, 0 pending" in text
    assert not Path("sweeps").exists()


def test_text_of_a_sweep_whose_runs_all_failed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["simulate", "job.yaml", "--oracle", "tests.sim.oracles:HopelessOracle"]
    assert main([*words, "--set", "stop.failures=null"]) == 1
    captured = capsys.readouterr()
    assert "0 runs finished, 6 failed, 0 pending" in captured.out
    assert "error: no run finished: all 6 runs are launched" in captured.err
    assert "ValueError: this oracle knows nothing" in captured.err
    assert main([*words, "--runs", "200"]) == 1
    captured = capsys.readouterr()
    assert sum(" failed: " in line for line in captured.out.splitlines()) < 10
    assert "error: stopped early: " in captured.err


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["--oracle", "my_oracles"], ("plugin-import", "--oracle: ", "module:factory")),
        (["--oracle", "my_oracle:straight"], ("plugin-import", "--oracle: ", "'my_oracle'")),
        (["--oracle", "my_oracles:strait"], ("plugin-import", "'my_oracles'", "'strait'")),
        (
            ["--oracle", "my_oracles:Straight", "--set", "stop.runs=0"],
            ("spec-not-allowed", "--set stop.runs: "),
        ),
    ],
)
def test_faults_end_with_2_and_no_traceback(
    words: list[str], values: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", "job.yaml", *words]) == 2
    only_printed(capsys.readouterr().err, *values)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--oracle", "my_oracles:Straight", "--runs", "0"], "--runs"),
        (["--oracle", "my_oracles:Straight", "--crash", "2"], "--crash"),
        ([], "--oracle"),
    ],
)
def test_options_out_of_range_end_with_2_and_no_traceback(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", "job.yaml", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback (most recent" not in error


def test_help_names_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "launch(proposal, rng)" in text
    assert "paretoflow.engine.oracles" in text


ORACLES = """
import numpy as np

class Outside:
    def launch(self, proposal, rng):
        return [(1.0, [w - 5 for w in proposal.weights])]

class Flat:
    def launch(self, proposal, rng):
        return [(1.0, [proposal.weights.array[0], 0.25])]

class Apart:  # each objective passes where the other does not
    def launch(self, proposal, rng):
        first = float(rng.random() > 0.5)
        return [(1.0, [2 * first - 1.0, 1.0 - 2 * first])]
"""


@pytest.mark.parametrize(
    ("oracle", "says"),
    [
        ("Outside", "none ever passes left -0.1 (best -4), right -0.1 (best -4)"),
        ("Flat", "right is constant, 0.25 in all 6 evaluations"),
        ("Apart", "each passes only some of it"),
    ],
)
def test_why_nothing_can_come_of_a_sweep_is_told(
    oracle: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_oracles.py").write_text(ORACLES)
    argv = ["simulate", "job.yaml", "--oracle", f"my_oracles:{oracle}", "--runs", "6"]
    assert main(argv) == 0
    assert says in capsys.readouterr().out.replace("\n", " ")
