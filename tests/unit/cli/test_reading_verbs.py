"""front, pick, report and export, over a sweep whose view is made by hand."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from paretoflow.cli.front import ranges_text
from paretoflow.cli.main import main
from paretoflow.cli.pick import named_numbers
from paretoflow.core.errors import UserError
from paretoflow.core.values import Problem
from paretoflow.core.views import SweepView
from paretoflow.engine.read import sweep as engine_sweep
from tests.faults import only_printed
from tests.views import changed, three_objectives, two_objectives


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "sweeps" / "demo"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text('{"name": "demo"}')
    return folder


@pytest.fixture
def view(root: Path, monkeypatch: pytest.MonkeyPatch) -> SweepView:
    made = two_objectives(root)
    monkeypatch.setattr(engine_sweep, "read_sweep", lambda folder, snapshot=None: made)
    monkeypatch.setenv("COLUMNS", "140")
    return made


def test_front_json_is_exactly_the_promised_shape(
    root: Path, view: SweepView, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["front", str(root), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    first = facts["points"][0]
    points = facts.pop("points")
    assert facts == {
        "sweep": "demo",
        "snapshot": 3,
        "ref_point": [0.05, 60.0],
        "hypervolume": 16.677,
        "hypervolume_corrected": 16.6,
        "hypervolume_ci": [15.93, 17.38],
        "objectives": [
            {"name": "coverage", "direction": "maximize"},
            {"name": "length", "direction": "minimize"},
        ],
        "runs": {"finished": 7, "failed": 1, "pending": 1},
    }
    assert len(points) == 5
    assert first == {
        "snapshot_id": view.front.points[0].snapshot_id,
        "run_id": view.front.points[0].run_id,
        "kind": "weighted",
        "merge": None,
        "settings": {},
        "weights": [1.0, 0.0],
        "scores": {"coverage": 0.52, "length": 47.5},
        "stderr": {"coverage": 0.018, "length": 1.3},
        "n": 48,
        "condition": None,
        "doubt": 0.0,
        "rival": None,
    }


@pytest.mark.usefixtures("view")
def test_front_text_shows_points_sketch_hypervolume_and_the_next_step(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["front", str(root)]) == 0
    text = capsys.readouterr().out
    for part in (
        "0.520 ± 0.018",
        "length [words], less is better",
        "hypervolume 16.68 reported, 16.6 corrected (95 % 15.93 to 17.38) against coverage 0.05",
        "7 runs finished, 1 failed, 1 pending",
        f"paretoflow pick {root} --prefer coverage=0.5,length=0.5",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        (0.05, ""),
        (0.2, "point 5 does not count: no better than the reference point in one objective"),
        (0.4, "3 points do not count (3 to 5): no better"),
        (0.9, ""),
    ],
)
def test_front_tells_which_points_do_not_pass_the_reference(root, monkeypatch, capsys, ref, says):
    made = two_objectives(root)
    one, two = made.front.problem.objectives
    problem = Problem((dataclasses.replace(one, ref=ref), two))
    moved = dataclasses.replace(made, front=dataclasses.replace(made.front, problem=problem))
    monkeypatch.setattr(engine_sweep, "read_sweep", lambda folder, snapshot=None: moved)
    assert main(["front", str(root)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert says in text
    assert ("not count" in text) == bool(says)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([1], "1"), ([1, 2], "1 to 2"), ([1, 3, 4, 5, 9], "1, 3 to 5, 9"), ([2, 4], "2, 4")],
)
def test_numbers_in_brief(numbers, text):
    assert ranges_text(numbers) == text


def test_front_text_of_three_objectives_has_no_sketch(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = three_objectives(root)
    monkeypatch.setattr(engine_sweep, "read_sweep", lambda folder, snapshot=None: made)
    monkeypatch.setenv("COLUMNS", "160")
    assert main(["front", str(root)]) == 0
    text = capsys.readouterr().out
    assert "0.930 ± 0.021" in text
    assert "└" + "─" * 50 not in text


def test_the_snapshot_asked_for_is_the_one_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []
    made = two_objectives(root)

    def read_sweep(folder: Path, snapshot: int | None = None) -> SweepView:
        asked.append(snapshot)
        return made

    monkeypatch.setattr(engine_sweep, "read_sweep", read_sweep)
    assert main(["front", str(root), "--snapshot", "2", "--format", "json"]) == 0
    assert main(["pick", str(root), "--prefer", "coverage=1", "--snapshot", "1"]) == 0
    assert asked == [2, 1]


def test_pick_says_how_to_load_the_adapter(
    root: Path, view: SweepView, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pick", str(root), "--prefer", "coverage=0.6,length=0.4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    chosen = view.front.points[1]
    assert lines[0] == chosen.snapshot_id
    assert "  coverage 0.460 ± 0.018" in lines
    assert "  length 35.5 ± 1.3 words" in lines
    assert "  trained towards coverage 0.70, length 0.30 (constrained)" in lines
    adapter = (root / chosen.path).resolve()
    assert "base = AutoModelForCausalLM.from_pretrained(TINY_BASE_DIR)" in lines
    assert f'model = PeftModel.from_pretrained(base, "{adapter}").eval()' in lines
    code = lines[lines.index("import torch") :]
    compile("\n".join(code), "<pick>", "exec")


@pytest.mark.parametrize(("run_id", "said"), [("base", "the base model"), ("r1", "was kept")])
def test_pick_without_an_adapter_says_why(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    run_id: str,
    said: str,
) -> None:
    made = two_objectives()
    point = changed(made.front.points[0], run_id=run_id, path="")
    front = dataclasses.replace(made.front, points=(point,))
    shown = dataclasses.replace(made, front=front)
    monkeypatch.setattr(engine_sweep, "read_sweep", lambda folder, snapshot=None: shown)
    assert main(["pick", str(root), "--prefer", "coverage=1"]) == 0
    text = capsys.readouterr().out
    assert said in text
    assert "peft" not in text


def test_pick_json_has_the_absolute_path(
    root: Path, view: SweepView, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["pick", str(root), "--at-least", "coverage=0.3", "--at-most", "length=40"]
    assert main([*words, "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    # without a preference and with every objective constrained, all count equally:
    # (0.35, 24) is worth 0.5 + 0.62, (0.46, 35.5) is worth 0.72 + 0.39
    assert facts["snapshot_id"] == view.front.points[2].snapshot_id
    assert Path(facts["adapter"]).is_absolute()
    assert Path(facts["adapter"]).is_dir()
    assert facts["scores"] == {"coverage": 0.35, "length": 24.0}


@pytest.mark.usefixtures("view")
@pytest.mark.parametrize(
    ("words", "code", "values"),
    [
        ([], "usage-option", ["--prefer"]),
        (["--prefer", "coverage"], "usage-option", ["--prefer: ", "'coverage'"]),
        (["--prefer", "coverage=much"], "usage-option", ["--prefer: ", "'coverage=much'"]),
        (["--prefer", "coverage=1,coverage=2"], "usage-option", ["coverage", "twice"]),
        (["--prefer", "covrage=1"], "usage-unknown-name", ["'covrage'", "coverage?"]),
        (["--at-least", "length=20"], "usage-option", ["--at-most length=20"]),
        (["--at-least", "coverage=0.9"], "usage-no-point", ["5 points"]),
    ],
)
def test_pick_faults_exit_with_2_and_a_hint(
    root: Path, words: list[str], code: str, values: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pick", str(root), *words]) == 2
    captured = capsys.readouterr()
    only_printed(captured.err, code, *values)
    assert captured.out == ""


def test_named_numbers_join_several_options() -> None:
    assert named_numbers(["a=1, b=2", "c=.5"], "--prefer") == {"a": 1.0, "b": 2.0, "c": 0.5}
    assert named_numbers(None, "--prefer") == {}
    with pytest.raises(UserError, match="--at-most"):
        named_numbers(["=3"], "--at-most")


@pytest.mark.usefixtures("view")
def test_report_goes_beside_the_sweep_or_where_asked(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("plotly")
    assert main(["report", str(root)]) == 0
    assert main(["report", str(root), "-o", str(tmp_path / "deep" / "r.html")]) == 0
    assert f"wrote {root / 'report.html'}" in capsys.readouterr().out
    page = (tmp_path / "deep" / "r.html").read_text(encoding="utf-8")
    assert page == (root / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")


@pytest.mark.usefixtures("view")
@pytest.mark.parametrize("name", ["front.png", "front.SVG", "front.pdf"])
def test_report_writes_no_page_under_the_name_of_a_picture(
    name: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(root), "-o", str(tmp_path / name)]) == 2
    only_printed(capsys.readouterr().err, "usage-option", "--out: ", name)
    assert not (tmp_path / name).exists()


@pytest.mark.usefixtures("view")
def test_export_refuses_a_taken_place_unless_forced(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "mine"
    assert main(["export", str(root), "-o", str(out)]) == 0
    assert (out / "front.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert main(["export", str(root), "-o", str(out)]) == 2
    only_printed(capsys.readouterr().err, "usage-occupied", str(out), "--force")
    assert main(["export", str(root), "-o", str(out), "--force"]) == 0


@pytest.mark.parametrize("verb", ["front", "pick", "report", "export"])
def test_no_sweep_there_is_the_users_fault(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {"pick": ["--prefer", "a=1"], "export": ["-o", str(tmp_path / "x")]}.get(verb, [])
    assert main([verb, str(tmp_path / "nowhere"), *more]) == 2
    only_printed(capsys.readouterr().err, "sweep-not-found", str(tmp_path / "nowhere"))
