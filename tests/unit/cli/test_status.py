from __future__ import annotations

import json
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from paretoflow.engine.session.folder import enter_folder
from paretoflow.engine.state.events import seen
from paretoflow.ledger import open_ledger
from tests.faults import only_printed
from tests.sim.oracles import BrokenOracle, CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep
from tests.unit.engine.telling import CALIBRATED, base, opened, proposed, scored, started


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of twelve runs, some of which failed."""
    spec = circle_spec(
        storage=str(tmp_path_factory.mktemp("storage")),
        stop={"runs": 12},
        engine={"worker_groups": 3, "retries": 0, "price": 7200.0},
    )
    return simulated_sweep(spec, BrokenOracle())


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """A sweep whose driver is at work, or was killed: nobody can tell from its folder."""
    root = tmp_path / "circle"
    enter_folder(circle_spec(stop={"runs": 3}), root)
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    ledger.append([opened(), CALIBRATED, base(), proposed("a"), started("a", 2)])
    ledger.append([seen(scored("a", (0.75, 4.0), attempt=2), 100.0), proposed("b")])
    return root


def test_what_a_further_run_should_add(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = circle_spec(storage=str(tmp_path), stop={"runs": 12})
    root = str(simulated_sweep(spec, CircleOracle()))
    assert main(["status", root, "--format", "json"]) == 0
    gain = json.loads(capsys.readouterr().out)["further_run"]
    assert 0 < gain["low"] < gain["per_run"] < gain["high"] < gain["bound"] < 1
    assert main(["status", root]) == 0
    shares = (f"{100 * gain[name]:.2g}" for name in ("per_run", "low", "high"))
    line = "should add {} % to the hypervolume (80 %: {} to {} %)".format(*shares)
    assert line in " ".join(capsys.readouterr().out.split())


def test_json_of_an_ended_sweep(ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(ended), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    runs = facts["runs"]
    assert runs["finished"] + runs["failed"] == runs["budget"] == 12
    assert runs["failed"] > 0
    assert facts["failures"] == {"objective": runs["failed"]}
    assert facts["state"] == "ended"
    assert facts["why"] == "all 12 runs are launched"
    assert facts["in_progress"] == []
    assert facts["evaluations"] == 2 * runs["finished"]
    assert facts["cost"] == pytest.approx(2 * facts["device_s"], abs=0.01)
    assert facts["hypervolume_ci"] == [facts["hypervolume"]] * 2
    assert facts["snapshots"] == len(open_ledger(ended, writer=False).fronts())


def test_json_of_a_sweep_in_progress(running: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(running), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["state"] == "running or interrupted"
    assert facts["runs"] == {"budget": 3, "finished": 0, "failed": 0, "paused": 0, "pending": 2}
    assert facts["in_progress"] == [
        {"run_id": "a", "status": "running", "attempt": 2, "reason": "Because."},
        {"run_id": "b", "status": "pending", "attempt": 0, "reason": "Because."},
    ]
    # by hand: (0.75 share, 4 words) beats the base's (0.5, 5) and spans 0.75 x 6
    assert facts["front"] == 1
    assert facts["hypervolume"] == pytest.approx(4.5)
    assert facts["elapsed_s"] == 100.0


def test_text_of_an_ended_sweep(ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(ended)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("circle", "state ended: all 12 runs are launched", " of 12", " at objective"):
        assert part in text
    assert ", cost " in text


def test_text_of_a_sweep_in_progress(running: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(running)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("state running or interrupted", "a running: Because.", "b pending: Because."):
        assert part in text
    assert "failures" not in text


def test_watch_ends_with_the_sweep(ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(ended), "--watch"]) == 0
    assert "all 12 runs are launched" in capsys.readouterr().out


def test_looking_changes_nothing(running: Path) -> None:
    def content() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in running.rglob("*") if p.is_file()}

    before = content()
    assert main(["status", str(running)]) == 0
    assert content() == before


def test_a_sweep_before_its_calibration_has_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enter_folder(circle_spec(), tmp_path)
    open_ledger(tmp_path, writer=True, create=True, fsync=False).append([opened()])
    assert main(["status", str(tmp_path), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["front"], facts["hypervolume"], facts["evaluations"]) == (0, 0.0, 0)


def test_no_sweep_there_is_the_users_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(tmp_path / "nowhere")]) == 2
    only_printed(capsys.readouterr().err, "sweep-not-found", str(tmp_path / "nowhere"))


def test_help_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--help"]) == 0
    assert "--watch" in capsys.readouterr().out


def test_how_constrained_runs_kept_their_thresholds_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = circle_spec(
        storage=str(tmp_path),
        stop={"runs": 8},
        proposer={"type": "cmorl", "initial": 3},
        engine={"worker_groups": 1},
    )
    root = str(simulated_sweep(spec, CircleOracle()))
    main(["status", root, "--format", "json"])
    told = json.loads(capsys.readouterr().out)["constrained"]
    assert told["finished"] == 5 == len(told["runs"])
    assert 0 <= told["improved"] <= told["kept"] <= 5
    main(["status", root])
    out = " ".join(capsys.readouterr().out.split())
    assert f"{told['kept']} of 5 runs kept their thresholds" in out
    for run, one in told["runs"].items():
        assert one["kept"] == all(
            room >= -one["room_stderr"][name] for name, room in one["room"].items()
        )
        assert one["kept"] or f"{run} missed" in out
