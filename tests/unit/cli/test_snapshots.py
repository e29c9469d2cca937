"""snapshots, --snapshot and diff over a simulated sweep, real ledger and all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import paretoflow
from paretoflow.cli.main import main
from tests.faults import only_printed
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    storage = tmp_path_factory.mktemp("storage")
    spec = circle_spec(stop={"runs": 6}, storage=str(storage))
    return str(simulated_sweep(spec, CircleOracle()))


def test_snapshots_lists_what_the_ledger_recorded(
    root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    records = paretoflow.open_sweep(root).snapshots()
    assert main(["snapshots", root, "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["sweep"], facts["objectives"]) == ("circle", ["left", "right"])
    rows = facts["snapshots"]
    assert [r["snapshot"] for r in rows] == list(range(len(records)))
    assert [r["latest"] for r in rows] == [False] * (len(records) - 1) + [True]
    assert [r["hypervolume"] for r in rows] == sorted(r["hypervolume"] for r in rows)
    assert rows[-1]["points"] == len(records[-1].snapshot_ids)
    assert rows[-1]["ref_point"] == [-0.1, -0.1]
    assert rows[0]["ledger_seq"] < rows[-1]["ledger_seq"]


def test_snapshots_marks_the_latest_for_people(
    root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    last = len(paretoflow.open_sweep(root).snapshots()) - 1
    assert main(["snapshots", root]) == 0
    text = capsys.readouterr().out
    assert f"circle: {last + 1} front snapshots" in text
    assert f"*{last} " in text
    assert "hypervolume against left -0.1, right -0.1; * the latest" in text


def test_a_negative_snapshot_counts_from_the_end(
    root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    last = len(paretoflow.open_sweep(root).snapshots()) - 1
    shown = []
    for number in ("-1", str(last), "0", str(-last - 1)):
        assert main(["front", root, "--snapshot", number, "--format", "json"]) == 0
        shown.append(json.loads(capsys.readouterr().out))
    assert shown[0] == shown[1]
    assert shown[2] == shown[3]
    assert shown[0]["snapshot"] == last
    assert shown[2]["snapshot"] == 0


@pytest.mark.few(3)
@pytest.mark.parametrize("number", ["99", "-99"])
@pytest.mark.parametrize("verb", ["front", "pick", "report", "export"])
def test_a_snapshot_that_is_not_there_is_the_users_fault(
    verb: str, number: str, root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {"pick": ["--prefer", "left=1"], "export": ["-o", str(tmp_path / "x")]}.get(verb, [])
    assert main([verb, root, "--snapshot", number, *more]) == 2
    told = only_printed(capsys.readouterr().err, "snapshot-not-found", f" {number}")
    assert re.search(r"\b0 to \d+", told.hint)


def test_a_sweep_without_snapshots_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from paretoflow.engine.session.folder import enter_folder, sweep_root
    from paretoflow.ledger import open_ledger

    spec = circle_spec(storage=str(tmp_path))
    folder = sweep_root(spec)
    enter_folder(spec, folder)
    open_ledger(folder, writer=True, create=True, fsync=False)
    assert main(["snapshots", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("circle ")
    assert main(["snapshots", str(folder), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["snapshots"] == []


def test_diff_of_two_snapshots_of_a_sweep(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", f"{root}@0", f"{root}@-1", "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    records = paretoflow.open_sweep(root).snapshots()
    assert facts["a"]["hypervolume"] == pytest.approx(records[0].hypervolume)
    assert facts["b"]["hypervolume"] == pytest.approx(records[-1].hypervolume)
    gained = {p["snapshot_id"] for p in facts["gained"]}
    lost = {p["snapshot_id"] for p in facts["lost"]}
    before, after = set(records[0].snapshot_ids), set(records[-1].snapshot_ids)
    assert (gained, lost, set(facts["kept"])) == (after - before, before - after, before & after)
    assert facts["hypervolume_change_ci"] is None
    assert facts["notes"] == ["no intervals: scores of single prompts were not kept"]
