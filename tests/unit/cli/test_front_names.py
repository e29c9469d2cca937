"""A front's name names one front: results that came after the last snapshot have none yet."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import paretoflow
from paretoflow.cli.main import main
from paretoflow.engine.read.sweep import front_view
from paretoflow.ledger import open_ledger
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep
from tests.unit.engine.telling import CALIBRATED, base, folded, opened, proposed, scored, started
from tests.views import two_objectives


def _sweep(storage: Path, *newer: tuple[float, float]) -> tuple[str, int]:
    """Return a simulated sweep with results that no snapshot knows, and its last snapshot."""
    root = simulated_sweep(circle_spec(stop={"runs": 4}, storage=str(storage)), CircleOracle())
    ledger = open_ledger(root, writer=True, fsync=False)
    last = ledger.fronts()[-1].number
    for number, scores in enumerate(newer):
        run = f"r{number + 4:04d}-abcdef"
        ledger.append([proposed(run), started(run), scored(run, scores)])
    return str(root), last


def _front_in(text: str) -> str:
    return re.search(r"circle, (.*?)[:\n]", text).group(1)  # type: ignore[union-attr]


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "newer", [[(2.0, 2.0)], [(1.5, 0.1)], [(0.1, 1.5), (1.5, 0.1)]], ids=["all", "one", "two"]
)
def test_results_after_the_last_snapshot_are_named_so_by_every_verb(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], newer: list[tuple[float, float]]
) -> None:
    root, last = _sweep(tmp_path, *newer)
    name = f"after front {last}, not recorded yet"
    told = {}
    for verb, words in {
        "front": ["front", root],
        "verify": ["verify", str(tmp_path / "now")],
    }.items():
        for which in ("now", "then"):
            at = ["--snapshot", str(last)] if which == "then" else []
            if verb == "verify":
                out = str(tmp_path / which)
                assert main(["export", root, "-o", out, *at]) == 0
                capsys.readouterr()
                words, at = ["verify", out], []
            assert main([*words, *at]) == 0
            told[verb, which] = _front_in(capsys.readouterr().out)
    assert {told["front", "now"], told["verify", "now"]} == {name}
    assert {told["front", "then"], told["verify", "then"]} == {f"front {last}"}
    manifest = json.loads((tmp_path / "now" / "manifest.json").read_text())
    assert (manifest["snapshot"], manifest["after_snapshot"]) == (None, last)
    assert f"newer than front snapshot {last}" in (tmp_path / "now" / "README.md").read_text()
    assert f"front snapshot {last} of" in (tmp_path / "then" / "README.md").read_text()


def test_programs_get_no_number_for_a_front_that_was_not_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, last = _sweep(tmp_path, (2.0, 2.0))
    for words in (["front", root], ["pick", root, "--prefer", "left=1"]):
        for at, expected in (([], (None, last)), (["--snapshot", "-1"], (last, None))):
            assert main([*words, *at, "--format", "json"]) == 0
            facts = json.loads(capsys.readouterr().out)
            assert (facts["snapshot"], facts.get("after_snapshot")) == expected
    assert main(["diff", f"{root}@{last}", root, "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [(s["snapshot"], s.get("after_snapshot")) for s in (facts["a"], facts["b"])] == [
        (last, None),
        (None, last),
    ]
    assert main(["diff", f"{root}@{last}", root]) == 0
    assert "not recorded yet" in " ".join(capsys.readouterr().out.split())
    sweep = paretoflow.open_sweep(root)
    assert sweep.front().view.name == f"after front {last}, not recorded yet"
    assert f"after front {last}, not recorded yet" in sweep.report(tmp_path / "r.html").read_text()


def test_a_result_that_changes_no_front_changes_no_name(tmp_path: Path) -> None:
    root, last = _sweep(tmp_path, (-5.0, -5.0))
    front = paretoflow.open_sweep(root).front()
    assert front.view.name == f"front {last}"
    assert front.to_dict()["points"] == paretoflow.open_sweep(root).front(last).to_dict()["points"]


def test_before_the_first_snapshot_there_is_no_number() -> None:
    state = folded(opened(), CALIBRATED, base())
    front = front_view(state, "demo", ())
    assert (front.snapshot, front.after, front.name) == (None, None, "no front recorded yet")


def test_simulate_names_the_front_that_its_ledger_recorded() -> None:
    from paretoflow.engine.session.simulate import simulate
    from paretoflow.ledger.memory import MemoryLedger

    ledger = MemoryLedger()
    found = simulate(circle_spec(stop={"runs": 4}), CircleOracle(), ledger=ledger)
    assert found.front.snapshot == ledger.fronts()[-1].number > 0


def test_a_recorded_front_says_no_more_of_itself_than_before() -> None:
    from paretoflow.exporters.manifest import manifest_of
    from paretoflow.exporters.reading import _manifest

    files = {"front.parquet": "0", "evaluations.parquet": "0"}
    tables = {name: f"{name}.parquet" for name in ("front", "evaluations")}
    plain = manifest_of(two_objectives(), "folder", tables, None, files)
    assert "after_snapshot" not in plain
    assert _manifest(plain, "").front_name == "demo, front 3"
