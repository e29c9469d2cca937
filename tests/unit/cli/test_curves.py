"""`paretoflow curves` and the curves in Python and in the report, of a sweep on disk."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest

import paretoflow
from paretoflow.cli.main import main
from paretoflow.core.curves import CurvePoint
from paretoflow.ledger.curves import write_chunk
from tests.faults import only_printed, raises
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sweep of three runs: one of two attempts, one that blew up, one without a curve."""
    storage = tmp_path_factory.mktemp("storage")
    spec = circle_spec(stop={"runs": 3}, storage=str(storage))
    made = Path(str(simulated_sweep(spec, CircleOracle())))
    first, second, _ = run_ids(made)
    points = [CurvePoint(s, float(s), {"loss": 1 / s, "grad_norm": s / 8}) for s in range(1, 6)]
    write_chunk(made, (first, 0), 0, points[:3])
    write_chunk(made, (first, 1), 0, points[2:])
    bad = CurvePoint(2, 2.0, {"loss": math.nan, "rewards/left/mean": 0.5})
    write_chunk(made, (second, 0), 0, [points[0], bad])
    return made


def run_ids(root: Path) -> list[str]:
    return [r.run_id for r in paretoflow.open_sweep(root).view().runs]


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["curves", *words]) == 0
    return capsys.readouterr().out


def test_each_attempt_has_a_line_and_each_run_without_a_curve_its_reason(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = run_ids(root)
    lines = shown(capsys, str(root)).splitlines()
    assert [line.split()[1:8] for line in lines if line.split()[:1] == [first]] == [
        ["0", "1", "to", "3", "1", "to", "0.3333"],
        ["1", "3", "to", "5", "0.3333", "to", "0.2"],
    ]
    (blown,) = [line for line in lines if line.split()[:1] == [second]]
    assert "1 to nan" in blown
    assert "loss nan at" in blown
    assert any(line.startswith(f"{third} has no curve: ") for line in lines)


def test_one_run_is_shown_step_by_step_by_the_beginning_of_its_id(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run_ids(root)[0]
    text = shown(capsys, str(root), first[:5])
    rows = [line.split() for line in text.splitlines() if line.strip()[:2] in ("0 ", "1 ")]
    assert [row[:3] for row in rows] == [
        ["0", "1", "1"], ["0", "2", "0.5"], ["0", "3", "0.3333"],
        ["1", "3", "0.3333"], ["1", "4", "0.25"], ["1", "5", "0.2"],
    ]  # fmt: skip


def test_json_and_csv_have_every_number_and_hide_none(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, second, third = run_ids(root)
    facts = json.loads(shown(capsys, str(root), "--format", "json"))
    assert len(facts["rows"]) == 8
    assert list(facts["absent"]) == [third]
    (bad,) = [r for r in facts["rows"] if (r["run_id"], r["step"]) == (second, 2)]
    assert (bad["loss"], bad["rewards/left/mean"], bad["grad_norm"]) == ("nan", 0.5, None)
    table = list(csv.DictReader(io.StringIO(shown(capsys, str(root), second, "--format", "csv"))))
    assert [(r["step"], r["loss"], r["grad_norm"]) for r in table] == [
        ("1", "1.0", "0.125"), ("2", "nan", ""),
    ]  # fmt: skip


def test_a_run_that_does_not_exist_is_refused_with_the_nearest(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    near = run_ids(root)[1]
    assert main(["curves", str(root), near[:-1] + "x"]) == 2
    only_printed(capsys.readouterr().err, "usage-option", "no runs", near)
    assert main(["curves", str(root), "r0"]) == 2
    only_printed(capsys.readouterr().err, "usage-option", "3 runs")


def test_python_has_them_as_an_arrow_table(root: Path) -> None:
    sweep = paretoflow.open_sweep(root)
    assert sweep.curves().num_rows == 8
    one = sweep.curves(run_ids(root)[1][:5])
    assert one.column_names == [
        "run_id", "attempt", "step", "time_s", "loss", "grad_norm", "rewards/left/mean"
    ]  # fmt: skip
    assert one["loss"].null_count == 0
    with raises("usage-option", "r9"):
        sweep.curves("r9")


def test_the_report_has_them_and_a_damaged_file_only_costs_its_own_curve(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paretoflow.report.page.plotly_script", lambda: "")
    first, second, third = run_ids(root)
    page = paretoflow.open_sweep(root).report(tmp_path / "r.html").read_text()
    assert f"{second}, attempt 0: loss nan at step 2" in page
    assert f"{third}: it logged no step" in page
    file = root / f"curves/{first}/a0/0000.arrow"
    whole = file.read_bytes()
    file.write_bytes(whole[:200])
    try:
        page = paretoflow.open_sweep(root).report(tmp_path / "r.html").read_text()
        assert str(file) in page
        assert main(["curves", str(root)]) == 0
        with raises("damaged", str(file)):
            paretoflow.open_sweep(root).curves()
    finally:
        file.write_bytes(whole)
