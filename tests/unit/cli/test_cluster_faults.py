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


def _said(capsys: pytest.CaptureFixture[str], words: list[str], status: int = 2) -> str:
    assert main(words) == status
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert captured.err.startswith("error: ")
    assert "hint: " in captured.err
    return captured.err


SUBMIT = ["submit", "job.yaml", "--address"]


@pytest.mark.parametrize("verb", ["submit", "resume", "stop"])
def test_an_unknown_address(
    head: Head, capsys: pytest.CaptureFixture[str], verb: str, tmp_path: Path
) -> None:
    enter_folder(circle_spec(), tmp_path / "circle")
    what = "job.yaml" if verb == "submit" else "circle"
    assert "connection was refused" in _said(
        capsys, [verb, what, "--address", "http://127.0.0.1:1"]
    )


def test_an_address_of_something_else(head: Head, capsys: pytest.CaptureFixture[str]) -> None:
    head.page = (200, "<html>It works!</html>")
    assert "no dashboard of Ray" in _said(capsys, [*SUBMIT, head.address])
    assert "is no address of a dashboard" in _said(capsys, [*SUBMIT, "ray://head:10001"])


def test_no_token_and_a_wrong_one(
    head: Head, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    head.token = "sesame"
    assert "asks for a token, and none was found" in _said(capsys, [*SUBMIT, head.address])
    monkeypatch.setenv("RAY_AUTH_TOKEN", "simsim")
    said = _said(capsys, [*SUBMIT, head.address])
    assert "refuses the token from RAY_AUTH_TOKEN" in said
    assert "simsim" not in said


def test_a_token_file_that_is_not_there(
    head: Head, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "nowhere/token")
    assert "no token in nowhere/token" in _said(capsys, [*SUBMIT, head.address])


def test_a_cluster_too_small_for_a_gang(head: Head, capsys: pytest.CaptureFixture[str]) -> None:
    head.nodes = [{"CPU": 4.0, "GPU": 2.0}, {"CPU": 64.0}]
    change = "engine.resources={ranks: 4, gpus_per_rank: 1}"
    said = _said(capsys, [*SUBMIT, head.address, "--set", change])
    assert (
        "too small for a worker group: a worker group is 4 ranks, each of 1 CPU and 1 GPU" in said
    )
    assert "room for 2 of 4: 10.0.0.0 has 4 CPU, 2 GPU; 10.0.0.1 has 64 CPU, 0 GPU" in said
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
    told = capsys.readouterr().out
    assert "holds 3 of 5 " in told
    assert "; the others wait for theirs" in told
    said = _said(capsys, [*words, "engine.resources.gpus_per_rank=1"])
    assert "too small for a worker group" in said
    assert not head.asked
    assert not Path("sweeps").exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--env", "NOT_SET_HERE"], "NOT_SET_HERE is not set"),
        (["--working-dir", "nowhere"], "there is no folder 'nowhere'"),
        (["--working-dir", ".", "--image", "me/flow:1"], "not both"),
    ],
)
def test_options_that_cannot_be_met(
    head: Head, capsys: pytest.CaptureFixture[str], words: list[str], part: str
) -> None:
    assert part in _said(capsys, [*SUBMIT, head.address, *words])
    assert not head.asked


def test_options_of_a_cluster_without_one(
    head: Head, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    enter_folder(circle_spec(), tmp_path / "circle")
    for option in (["--follow"], ["--env", "A=1"], ["--image", "x"], ["--working-dir", "."]):
        said = _said(capsys, ["resume", "circle", *option])
        assert said.startswith(f"error: {option[0]}: it is for a sweep on a cluster")


@pytest.mark.parametrize("verb", ["resume", "status", "stop", "front"])
def test_no_sweep_there(head: Head, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    assert "no sweep lives in" in _said(capsys, [verb, "nowhere"])


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
    said = _said(capsys, [head.address if w == "HEAD" else w for w in words], status=1)
    assert "version 99" in said
    assert "upgrade paretoflow" in said
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
    said = _said(capsys, [head.address if w == "HEAD" else w for w in words], status=1)
    assert "flavour" in said
    assert (root / "spec.json").read_bytes() == before


def _make_newer(root: Path) -> None:
    """Let the ledger's events say that a version to come wrote them."""
    DeltaTable(root / "ledger" / "events").alter.set_table_properties(
        {VERSION_KEY: "99"}, raise_if_not_exists=False
    )
