"""A whole sweep in an object store: simulated training, everything else as it is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import paretoflow
from paretoflow.cli.main import main
from paretoflow.core.ids import digest_of_folder
from paretoflow.engine.read.stored_spec import read_spec
from paretoflow.engine.read.sweep import open_sweep_folder, read_sweep
from paretoflow.engine.session.folder import enter_folder
from paretoflow.engine.state.events import finished
from paretoflow.ledger import open_ledger, probe
from paretoflow.ledger.tables import EventKind
from paretoflow.scoring.answers import answers_path
from paretoflow.scoring.arrow_files import write_table
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import as_folder
from tests.faults import only_printed
from tests.s3_server import KEYS, Proxy
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep
from tests.unit.engine.telling import CALIBRATED, base, opened, proposed, scored, started

CHECKOUT = Path(__file__).parents[2]
DRIVER = """
import sys
from tests.sim.delta_driver import SlowOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep
simulated_sweep(circle_spec(stop={"runs": 10}, storage=sys.argv[1]), SlowOracle())
"""


@pytest.fixture
def storage(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(probe, "ROUNDS", 1)
    return f"s3://{s3_bucket}/team/sweeps"


def test_a_sweep_ends_as_one_on_disk_and_every_verb_reads_it(
    storage: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    here = simulated_sweep(circle_spec(stop={"runs": 6}, storage="here"), CircleOracle())
    there = simulated_sweep(circle_spec(stop={"runs": 6}, storage=storage), CircleOracle())
    uri = f"{storage}/circle"
    assert there.uri == uri
    assert read_sweep(uri).front == read_sweep(here).front
    ids = [[e.event_id for e in open_ledger(root, writer=False).events()] for root in (here, uri)]
    assert ids[0] == ids[1]

    def said(*words: str) -> str:
        assert main(list(words)) == 0
        return capsys.readouterr().out

    status = json.loads(said("status", uri, "--format", "json"))
    assert status["runs"]["finished"] == 6
    front = json.loads(said("front", uri, "--format", "json"))
    assert front["hypervolume"] == read_sweep(here).front.hypervolume
    assert f"paretoflow pick {uri} --prefer left=0.5,right=0.5" in said("front", uri)
    earlier = json.loads(said("front", uri, "--snapshot", "0", "--format", "json"))
    assert earlier["snapshot"] == 0
    point = json.loads(said("pick", uri, "--prefer", "left=1", "--format", "json"))
    assert point["adapter"] is None
    pytest.importorskip("plotly")
    assert "wrote circle.html" in said("report", uri)
    assert "left" in (tmp_path / "circle.html").read_text(encoding="utf-8")


def _told(root: str) -> tuple[list[str], list[str]]:
    events = open_ledger(root, writer=False).events()
    assert [e.seq for e in events] == list(range(len(events)))
    kinds = (EventKind.PROPOSED, EventKind.FINISHED)
    first, second = ([e.run_id for e in events if e.kind is kind] for kind in kinds)
    return first, second


@pytest.mark.full
def test_killed_drivers_lose_nothing_and_double_nothing(storage: str) -> None:
    root = f"{storage}/circle"
    command = [sys.executable, "-c", DRIVER, storage]
    for _ in range(2):
        driver = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE)
        assert driver.stdout is not None
        for _ in range(4):
            driver.stdout.readline()
        time.sleep(0.05)
        driver.kill()
        driver.wait()
        driver.stdout.close()
    before = _told(root)
    assert len(before[0]) >= 4
    subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL, check=True)
    proposed_runs, finished_runs = _told(root)
    assert proposed_runs[: len(before[0])] == before[0]
    assert len(finished_runs) == len(set(finished_runs)) == 10
    assert sorted(finished_runs) == sorted(proposed_runs)


@pytest.fixture
def trained(storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A sweep of two runs with adapters and answers."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = as_folder(f"{storage}/demo")
    plain = {**circle_spec().model_dump(mode="json"), "name": "demo"}
    plain["objectives"][0]["name"], plain["objectives"][1]["name"] = "coverage", "words"
    enter_folder(SweepSpec.model_validate(plain), root)
    events = [opened(), CALIBRATED, base()]
    for run_id, scores in (("a", (0.9, 4.0)), ("b", (0.2, 1.0))):
        adapter = tmp_path / f"made-{run_id}"
        adapter.mkdir()
        (adapter / "adapter_config.json").write_text('{"peft_type": "LORA"}')
        (adapter / "adapter_model.safetensors").write_bytes(run_id.encode() * 1000)
        root.send(adapter, f"adapters/{run_id}/a0")
        row = scored(run_id, scores, path=f"adapters/{run_id}/a0")
        row = replace(row, digest=digest_of_folder(adapter))
        events += [proposed(run_id), started(run_id), row, finished(run_id, 0, 9.0)]
        _write_answers(root.uri, row.snapshot_id)
    open_ledger(root, writer=True, create=True).append(events)
    return root.uri


def _write_answers(root: str, snapshot_id: str) -> None:
    import pyarrow as pa

    columns = {"prompt_id": ["p"], "prompt": ["Why?"], "reference": [""], "completion": ["So."]}
    scores = {"coverage": [0.5], "words": [1.0]}
    write_table(answers_path(root, snapshot_id), pa.table({**columns, **scores}))


def test_a_picked_adapter_is_copied_here_once(
    trained: str, s3_proxy: Proxy, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["pick", trained, "--prefer", "coverage=1", "--format", "json"]
    assert main(words) == 0
    adapter = Path(json.loads(capsys.readouterr().out)["adapter"])
    assert (adapter / "adapter_model.safetensors").read_bytes() == b"a" * 1000
    s3_proxy.requests.clear()
    assert main(words) == 0
    assert not [path for _, path in s3_proxy.requests if "adapter_model" in path]
    (adapter / "adapter_model.safetensors").write_bytes(b"spoilt")
    assert main(words) == 0
    assert (adapter / "adapter_model.safetensors").read_bytes() == b"a" * 1000


def test_a_tampered_adapter_is_refused(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_folder(trained).write("adapters/a/a0/adapter_model.safetensors", b"other weights")
    assert main(["pick", trained, "--prefer", "coverage=1"]) == 2
    only_printed(capsys.readouterr().err, "adapter-changed", "adapters/a/a0")
    assert main(["export", trained, "-o", str(tmp_path / "out")]) == 2
    only_printed(capsys.readouterr().err, "adapter-changed", "adapters/a/a0")
    assert not (tmp_path / "out").exists()
    as_folder(trained).delete("adapters/a/a0")
    assert main(["pick", trained, "--prefer", "coverage=1"]) == 2
    only_printed(capsys.readouterr().err, "adapter-gone", "adapters/a/a0")


def test_an_export_and_a_report_come_out_of_the_store(trained: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    assert main(["export", trained, "-o", str(out)]) == 0
    copies = sorted(p.read_bytes()[:1] for p in out.glob("adapters/*/*.safetensors"))
    assert copies == [b"a", b"b"]
    sweep = paretoflow.open_sweep(trained)
    assert "Why?" in sweep.report(tmp_path / "r.html").read_text(encoding="utf-8")
    assert open_sweep_folder(sweep.root).root.uri == trained


@pytest.mark.few(1)
@pytest.mark.parametrize("verb", ["status", "front", "pick", "report"])
def test_a_uri_that_cannot_be_read_is_told_in_one_line(
    trained: str, verb: str, s3_proxy: Proxy, capsys: pytest.CaptureFixture[str]
) -> None:
    for uri, code, value in (
        ("s3://no-such-bucket/demo", "storage-no-bucket", "'no-such-bucket'"),
        (trained.replace("demo", "other"), "sweep-not-found", "/other"),
        ("hdfs://bucket/demo", "storage-address", "s3://bucket"),
    ):
        assert main([verb, uri]) == 2
        only_printed(capsys.readouterr().err, code, value)
    s3_proxy.status = 403
    assert main([verb, trained]) == 2
    told = capsys.readouterr().err
    only_printed(told, "storage-denied")
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in told


def test_check_says_what_is_there_and_does_not_wait_long(
    trained: str, s3_proxy: Proxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.yaml"
    words = ["check", str(job), "--storage", trained.removesuffix("/demo")]
    job.write_text(json.dumps({**circle_spec().model_dump(mode="json"), "name": "demo"}))
    assert main(words) == 2
    only_printed(capsys.readouterr().err, "spec-fixed", "'demo'", "objectives")
    job.write_text(json.dumps(read_spec(trained)))
    assert main(words) == 0
    assert trained in capsys.readouterr().out
    s3_proxy.status = 403
    assert main(words) == 2
    only_printed(capsys.readouterr().err, "storage-denied")
    s3_proxy.stop()
    started = time.monotonic()
    assert main(words) == 2
    only_printed(capsys.readouterr().err, "storage-no-answer", "5 s")
    assert time.monotonic() - started < 60
