"""What a user may get wrong about a cluster: said in a line, no traceback, nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from paretoflow.cli.main import main
from paretoflow.engine.session.folder import enter_folder
from paretoflow.ledger import open_ledger
from paretoflow.ledger.fenced_table import VERSION_KEY
from tests.fake_head import Head, fake_head
from tests.faults import Printed, only_printed
from tests.sim.specs import circle_spec
from tests.unit.cli.circle_job import CIRCLE
from tests.unit.engine.telling import opened


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Head]:
    (tmp_path / "job.yaml").write_text(CIRCLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    with fake_head() as head:
        yield head


def _refused(
    capsys: pytest.CaptureFixture[str], words: list[str], code: str, *values: str, status: int = 2
) -> Printed:
    assert main(words) == status
    return only_printed(capsys.readouterr().err, code, *values)


SUBMIT = ["submit", "job.yaml", "--address"]


@pytest.mark.parametrize("verb", ["submit", "resume", "stop"])
def test_an_unknown_address(
    head: Head, capsys: pytest.CaptureFixture[str], verb: str, tmp_path: Path
) -> None:
    enter_folder(circle_spec(), tmp_path / "circle")
    what = "job.yaml" if verb == "submit" else "circle"
    address = "http://127.0.0.1:1"
    _refused(capsys, [verb, what, "--address", address], "cluster-unreachable", address)


def test_an_address_of_something_else(head: Head, capsys: pytest.CaptureFixture[str]) -> None:
    head.page = (200, "<html>It works!</html>")
    _refused(capsys, [*SUBMIT, head.address], "cluster-address", head.address)
    _refused(capsys, [*SUBMIT, "ray://head:10001"], "cluster-address", "'ray://head:10001'")


def test_no_token_and_a_wrong_one(
    head: Head, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    head.token = "sesame"
    missing = _refused(capsys, [*SUBMIT, head.address], "cluster-token")
    assert "RAY_AUTH_TOKEN" not in missing.line
    monkeypatch.setenv("RAY_AUTH_TOKEN", "simsim")
    wrong = _refused(capsys, [*SUBMIT, head.address], "cluster-token")
    assert "RAY_AUTH_TOKEN" in wrong.line
    assert "simsim" not in wrong


def test_a_token_file_that_is_not_there(
    head: Head, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "nowhere/token")
    _refused(capsys, [*SUBMIT, head.address], "cluster-token", "nowhere/token")


def test_a_cluster_too_small_for_a_group(head: Head, capsys: pytest.CaptureFixture[str]) -> None:
    head.nodes = [{"CPU": 4.0, "GPU": 2.0}, {"CPU": 64.0}]
    change = "engine.resources={ranks: 4, gpus_per_rank: 1}"
    values = ("4 ranks", "1 CPU and 1 GPU", "2 of 4", "10.0.0.0 has 4 CPU, 2 GPU")
    words = [*SUBMIT, head.address, "--set", change]
    _refused(capsys, words, "cluster-too-small", *values, "10.0.0.1 has 64 CPU, 0 GPU")
    assert not head.asked
    assert not Path("sweeps").exists()


def test_check_asks_for_room_and_submits_nothing(
    head: Head, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["check", "job.yaml", "--address", head.address, "--set"]
    head.nodes = [{"CPU": 2.0}, {"CPU": 1.0}]
    assert main([*words, "engine.worker_groups=3"]) == 0
    assert f"room: {head.address} holds 3 of 3 " in capsys.readouterr().out
    assert main([*words, "engine.worker_groups=5"]) == 0
    assert f"{head.address} holds 3 of 5 " in capsys.readouterr().out
    _refused(capsys, [*words, "engine.resources.gpus_per_rank=1"], "cluster-too-small", "1 GPU")
    assert not head.asked
    assert not Path("sweeps").exists()


@pytest.mark.parametrize(
    ("words", "code", "values"),
    [
        (["--env", "NOT_SET_HERE"], "usage-missing-file", ("--env: ", "NOT_SET_HERE")),
        (["--working-dir", "nowhere"], "usage-missing-file", ("--working-dir: ", "'nowhere'")),
        (["--working-dir", ".", "--image", "me/flow:1"], "usage-option", ("--image: ",)),
    ],
)
def test_options_that_cannot_be_met(
    head: Head,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: str,
    values: tuple[str, ...],
) -> None:
    _refused(capsys, [*SUBMIT, head.address, *words], code, *values)
    assert not head.asked


def test_options_of_a_cluster_without_one(
    head: Head, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    enter_folder(circle_spec(), tmp_path / "circle")
    for option in (["--follow"], ["--env", "A=1"], ["--image", "x"], ["--working-dir", "."]):
        told = _refused(capsys, ["resume", "circle", *option], "usage-option")
        assert told.line.startswith(f"{option[0]}: ")


@pytest.mark.parametrize("verb", ["resume", "status", "stop", "front"])
def test_no_sweep_there(head: Head, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    _refused(capsys, [verb, "nowhere"], "sweep-not-found", "nowhere")


@pytest.mark.parametrize(
    "words",
    [
        *(["resume", "circle"], ["status", "circle"], ["stop", "circle"], ["front", "circle"]),
        *(["run", "job.yaml", "--storage", "."], [*SUBMIT, "HEAD", "--storage", "."]),
    ],
    ids=lambda words: words[0],
)
def test_a_ledger_of_a_newer_version(
    head: Head, capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]
) -> None:
    root = tmp_path / "circle"
    enter_folder(circle_spec(), root)
    open_ledger(root, writer=True, create=True, fsync=False).append([opened()])
    _make_newer(root)
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    words = [head.address if w == "HEAD" else w for w in words]
    _refused(capsys, words, "schema-version", "99", status=1)
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before
    assert not head.asked


@pytest.mark.parametrize("words", [["resume", "circle"], [*SUBMIT, "HEAD", "--storage", "."]])
def test_a_spec_of_a_newer_version(
    head: Head, capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]
) -> None:
    root = tmp_path / "circle"
    enter_folder(circle_spec(), root)
    plain = json.loads((root / "spec.json").read_text())
    (root / "spec.json").write_text(json.dumps(plain | {"flavour": "sweet"}))
    before = (root / "spec.json").read_bytes()
    words = [head.address if w == "HEAD" else w for w in words]
    _refused(capsys, words, "schema-version", "flavour", status=1)
    assert (root / "spec.json").read_bytes() == before


def _make_newer(root: Path) -> None:
    """Let the ledger's events say that a version to come wrote them."""
    DeltaTable(root / "ledger" / "events").alter.set_table_properties(
        {VERSION_KEY: "99"}, raise_if_not_exists=False
    )
