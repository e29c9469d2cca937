"""diff of exports, for people, programs and as a picture."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from paretoflow.core.views import SweepView
from paretoflow.exporters import exporter_of
from tests.faults import only_printed
from tests.views import measured, three_objectives, two_objectives


def exported(view: SweepView, out: Path, tag: str = "parquet") -> str:
    exporter_of(tag).export(view, out, lambda: b"picture", force=False)
    return str(out)


def on_prompts(view: SweepView, data: str) -> SweepView:
    rows = tuple(dataclasses.replace(e, data=data) for e in view.evaluations)
    return dataclasses.replace(view, evaluations=rows)


def without_first(view: SweepView) -> SweepView:
    gone, *kept = view.front.points
    rows = tuple(e for e in view.evaluations if e.snapshot_id != gone.snapshot_id)
    front = dataclasses.replace(view.front, points=tuple(kept), snapshot=2)
    return measured(dataclasses.replace(view, front=front, evaluations=rows))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    view = on_prompts(measured(two_objectives(tmp_path / "sweep")), "prompts")
    a = exported(without_first(view), tmp_path / "a", "csv")
    return a, exported(view, tmp_path / "b")


def test_diff_json_has_points_changes_and_intervals(
    pair: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *pair, "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [p["scores"] for p in facts["gained"]] == [{"coverage": 0.52, "length": 47.5}]
    assert facts["lost"] == []
    assert len(facts["kept"]) == 4
    assert facts["paired"] is True
    assert facts["hypervolume_change"] == pytest.approx(
        facts["b"]["hypervolume"] - facts["a"]["hypervolume"]
    )
    low, high = facts["hypervolume_change_ci"]
    # what the new point adds: (0.52 - 0.46) * (60 - 47.5)
    assert facts["hypervolume_change"] == pytest.approx(0.06 * 12.5)
    assert 0 < low < facts["hypervolume_change"] < high
    assert (facts["a"]["snapshot"], facts["b"]["snapshot"]) == (2, 3)
    assert facts["b"]["coverage_of_the_other"] == 1.0


def test_diff_text_says_it_in_words(
    pair: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *pair]) == 0
    text = capsys.readouterr().out
    for part in (
        "hypervolume of B less that of A: +0.75 reported, +0.7",
        "paired over the same prompts",
        "points from A to B: 4 kept, 1 gained, 0 lost",
        "0.520 ± 0.018",
        "demo, front 2",
    ):
        assert part in text


def test_a_front_against_itself_does_not_differ(
    pair: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", pair[1], pair[1]]) == 0
    text = capsys.readouterr().out
    told = "+0 reported, +0 corrected (95 % +0 to +0, paired over the same prompts; 0 is within)"
    assert f"less that of A: {told}" in text
    assert "5 kept, 0 gained, 0 lost" in text


@pytest.mark.few(2)
@pytest.mark.parametrize("kind", ["png", "svg", "html"])
@pytest.mark.parametrize("made", [two_objectives, three_objectives])
def test_diff_draws_both_fronts(
    made, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("matplotlib")
    view = measured(made(tmp_path / "sweep"))
    label = "a_<script>_$x$"
    a = exported(without_first(view), tmp_path / label)
    b = exported(view, tmp_path / "b")
    out = tmp_path / "deep" / f"both.{kind}"
    assert main(["diff", a, b, "-o", str(out)]) == 0
    assert f"wrote {out}" in capsys.readouterr().out
    content = out.read_bytes()
    if kind == "png":
        assert content.startswith(b"\x89PNG")
    else:
        assert b"<svg" in content
        assert b"<script" not in content
        again = tmp_path / f"again.{kind}"
        assert main(["diff", a, b, "-o", str(again)]) == 0
        assert again.read_bytes() == content


def test_more_objectives_than_planes_are_drawn_side_by_side() -> None:
    pytest.importorskip("matplotlib")
    import numpy as np

    from paretoflow.core.evaluation import Evaluation
    from paretoflow.core.values import Direction, ObjectiveInfo, Problem
    from paretoflow.front.compared import Side
    from paretoflow.front.difference import difference
    from paretoflow.report.diff_picture import diff_plot

    problem = Problem(
        tuple(ObjectiveInfo(n, Direction.MAXIMIZE, "", 0.0, 1.0, 0.0) for n in "abcd")
    )
    point = Evaluation(
        scores=np.array([0.1, 0.2, 0.3, 0.4]),
        stderr=np.full(4, 0.01),
        prompt_scores=np.empty(0),
        n=0,
        snapshot_id="p",
    )
    both = difference(Side("x", "s", 0, problem, (point,)), Side("y", "s", 1, problem, (point,)))
    assert diff_plot(both).startswith(b"\x89PNG")


def test_faults_of_the_user_are_told_as_such(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = exported(measured(three_objectives(tmp_path / "other")), tmp_path / "three")
    cases = [
        (
            [pair[0], other],
            ("usage-not-comparable", "coverage (maximize), length (minimize)"),
        ),
        ([pair[0], f"{pair[1]}@2"], ("usage-option", pair[1], "@2")),
        ([pair[0], str(tmp_path / "nowhere")], ("sweep-not-found", str(tmp_path / "nowhere"))),
        ([*pair, "-o", "front.pdf"], ("usage-option", "-o: ", ".png, .svg", "'front.pdf'")),
    ]
    for words, fault in cases:
        assert main(["diff", *words]) == 2
        only_printed(capsys.readouterr().err, *fault)


def test_a_folder_named_with_an_at_sign_is_that_folder(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(pair[1]).rename(tmp_path / "b@3")
    assert main(["diff", pair[0], str(tmp_path / "b@3"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["b"]["points"] == 5


@pytest.mark.parametrize("tag", ["parquet", "arrow", "json", "csv"])
@pytest.mark.parametrize("side", [0, 1])
def test_an_export_whose_table_was_changed_is_no_side(
    side: int, tag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    view = on_prompts(measured(two_objectives(tmp_path / "sweep")), "prompts")
    sides = [exported(view, tmp_path / "a", tag), exported(view, tmp_path / "b", tag)]
    assert main(["diff", *sides]) == 0
    table = Path(sides[side], f"evaluations.{tag}")
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    table.write_bytes(content)
    capsys.readouterr()
    assert main(["diff", *sides]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(table) in only_printed(captured.err, "export-damaged").line
