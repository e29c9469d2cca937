"""compare for people, programs and as a picture."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from paretoflow.core.cost import Cost
from paretoflow.core.views import SweepView
from paretoflow.engine.read import comparison as sides
from tests.faults import only_printed
from tests.unit.cli.test_diff import exported, on_prompts, without_first
from tests.views import measured, three_objectives, two_objectives


def named(view: SweepView, method: dict[str, object]) -> SweepView:
    return dataclasses.replace(view, spec={**view.spec, "method": method})


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> dict[str, SweepView]:
    """Sweeps by the place that they are read from."""
    whole = on_prompts(measured(two_objectives()), "prompts")
    placed = {
        "dpo": whole,
        "gr[po]": named(without_first(whole), {"type": "grpo", "aggregation": {"type": "pama"}}),
        "three": on_prompts(measured(three_objectives()), "prompts"),
        "elsewhere": on_prompts(whole, "others"),
    }
    monkeypatch.setattr(sides, "read_sweep", lambda place, snapshot: placed[place])
    return placed


def test_the_table_has_all_that_a_choice_needs(sweeps, capsys):
    assert main(["compare", "dpo", "gr[po]", "dpo"]) == 0
    text = capsys.readouterr().out
    for part in (
        "A  dpo ",
        "B  gr[po] ",
        "grpo + pama",
        "empty_box",
        "5 points",
        "80% of joint",
        "7 runs, 1 failed",
        "less A",
        "-0.75 ",
        "tokens",
        "all measured against coverage 0.05, length 60",
        "draw the same 48 prompts for all",
        "coverage, more is better",
    ):
        assert part in text, part
    assert max(map(len, text.splitlines())) <= 120


def test_json_has_the_numbers_and_the_cost(sweeps, capsys):
    assert main(["compare", "dpo", "gr[po]", "--format", "json", "--baseline", "gr[po]"]) == 0
    facts = json.loads(capsys.readouterr().out)
    first, second = facts["sweeps"]
    assert facts["baseline"] == "gr[po]"
    assert (second["method"], second["proposer"]) == ("grpo + pama", "empty_box")
    assert first["change"] == pytest.approx(0.06 * 12.5)
    assert 0 < first["change_ci"][0] < first["change"] < first["change_ci"][1]
    assert second["change_ci"] == [0.0, 0.0]
    assert facts["joint_front"]["points"] == first["points"] == 5
    # seven runs and a failed one of 20.1 s, and the base's evaluation of 6 s
    assert first["cost"] == dataclasses.asdict(sum_of(sweeps["dpo"]))
    assert first["cost"]["wall_s"] == pytest.approx(8 * 20.1 + 6)


def sum_of(view: SweepView) -> Cost:
    total = next(e.cost for e in view.evaluations if e.run_id == "base")
    for run in view.runs:
        total = total + run.cost
    return total


def test_a_common_reference_point_may_be_given(sweeps, capsys):
    words = ["compare", "dpo", "gr[po]", "--ref", "length=70", "--format", "json"]
    assert main(words) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [o["ref"] for o in facts["objectives"]] == [0.05, 70.0]


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("kind", "names"), [("html", ["dpo", "gr[po]"]), ("png", ["three", "three"])]
)
def test_the_fronts_are_drawn_alike_each_time(kind, names, sweeps, tmp_path: Path, capsys):
    pytest.importorskip("matplotlib")
    outs = [tmp_path / "deep" / f"{k}.{kind}" for k in (1, 2)]
    for out in outs:
        assert main(["compare", *names, "--plot", str(out)]) == 0
    assert f"wrote {outs[1]}" in capsys.readouterr().out
    content = outs[0].read_bytes()
    assert content == outs[1].read_bytes()
    if kind == "png":
        assert content.startswith(b"\x89PNG")
    else:
        assert b"<svg" in content
        assert b"<script" not in content
    if kind == "html":
        assert "of joint<br>7 runs, 1 failed" in content.decode()


def test_faults_of_the_user_are_told_as_such(sweeps, tmp_path, capsys):
    export = exported(measured(two_objectives(tmp_path / "sweep")), tmp_path / "export")
    cases = [
        (["dpo"], ("usage-option",)),
        (["dpo", "three"], ("usage-not-comparable", "dpo", "three", "objectives")),
        (["dpo", "elsewhere"], ("usage-not-comparable", "dpo", "elsewhere", "digest")),
        (["dpo", export], ("usage-private", export)),
        (["dpo", "gr[po]", "--baseline", "ppo"], ("usage-option", "--baseline: ", "'ppo'", "dpo")),
        (["dpo", "gr[po]", "--ref", "length"], ("usage-option", "--ref: ", "'length'")),
        (
            ["dpo", "gr[po]", "--ref", "size=3"],
            ("usage-unknown-name", "--ref: ", "'size'", "coverage"),
        ),
        (
            ["dpo", "gr[po]", "--plot", "x.pdf"],
            ("usage-option", "--plot: ", ".png, .svg, .html", "'x.pdf'"),
        ),
    ]
    for words, fault in cases:
        assert main(["compare", *words]) == 2
        only_printed(capsys.readouterr().err, *fault)
