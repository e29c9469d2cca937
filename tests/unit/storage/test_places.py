"""A place has one name, and one that no sweep can live in is refused in plain words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from paretoflow.core.errors import ParetoflowError
from paretoflow.engine.cluster.submit import job_name
from paretoflow.engine.groups.discovery import namespace_of
from paretoflow.engine.session.folder import enter_folder, sweep_root
from paretoflow.engine.session.resume import load_sweep_spec
from paretoflow.ledger import open_ledger
from paretoflow.storage import LocalFolder, as_folder
from tests.faults import raises
from tests.sim.specs import circle_spec
from tests.unit.ledger.rows_for_tests import evaluated


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "disk" / "sweeps" / "x y").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "sweeps")
    (tmp_path / "latest").symlink_to(tmp_path / "link" / "x y")
    monkeypatch.chdir(tmp_path / "disk")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "disk" / "sweeps" / "x y"


def _names(place: Path) -> list[str]:
    top = place.parents[2]
    return [
        str(place),
        f"{place}/",
        "sweeps/x y",
        "./sweeps//x y/",
        "sweeps/../sweeps/./x y",
        f"{top}/link/x y",
        f"{top}/latest/",
        "~/disk/sweeps/x y",
        "~/link/x y",
        place.as_uri(),
        f"{place.as_uri()}/",
        f"file://localhost{place.as_uri().removeprefix('file://')}",
        f"file:{place.as_uri().removeprefix('file://')}",
        f"FILE://{place.as_uri().removeprefix('file://')}",
    ]


def test_every_name_of_a_place_is_one_folder_and_one_job(place: Path) -> None:
    folders = [as_folder(name) for name in _names(place)]
    assert set(folders) == {LocalFolder(place)}
    assert {job_name("s", name) for name in _names(place)} == {job_name("s", str(place))}
    assert {namespace_of(f.uri, "s") for f in folders} == {namespace_of(str(place), "s")}
    assert as_folder(str(place.parent)) != folders[0]


def test_every_name_of_a_prefix_is_one_folder_and_one_job() -> None:
    names = ["s3://bucket/p/x", "s3://bucket//p///x/", "s3://bucket/p/x/"]
    assert {as_folder(name).uri for name in names} == {"s3://bucket/p/x"}
    assert len({job_name("s", name) for name in names}) == 1


def test_a_sweep_is_resumed_by_a_link_to_it(tmp_path: Path) -> None:
    spec = circle_spec(storage=str(tmp_path / "real"))
    enter_folder(spec, sweep_root(spec))
    (tmp_path / "latest").symlink_to(tmp_path / "real" / spec.name)
    assert load_sweep_spec(tmp_path / "latest").storage == str(tmp_path / "real")


GOOD = [
    "[v2]", "2^3", "a|b", "{x}", "50%", "a%b", "100% sure", "a b", " x ", "ok é 日本", "q?x", "h#x",
    "a*b", "a<b>", "'q\"", "a:b", "~x", "x" * 200, "-x", "a&b;c", "$HOME", "!", "`x`",
]  # fmt: skip
BAD = [
    "100%20", "%2F", "%5B", "a\\b", "nl\nx", "t\tx", "esc\x1b[31m", "del\x7f",
    os.fsdecode(b"caf\xe9"), os.fsdecode(b"\xff\xfe"), "x" * 300, "日" * 90,
]  # fmt: skip


@pytest.mark.few(6)
@pytest.mark.parametrize("name", GOOD)
def test_a_ledger_can_live_below_a_folder_with_an_odd_name(tmp_path: Path, name: str) -> None:
    root = tmp_path / name / "sweep"
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    added = [event for i in range(3) for event in ledger.append([evaluated(i)])]
    assert open_ledger(root, writer=False).events() == added
    assert open_ledger(str(root), writer=True).append([evaluated(9)])[0].seq == 3


@pytest.mark.parametrize("name", BAD)
def test_an_impossible_name_is_refused_before_anything_is_written(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / name
    with raises("storage-address", "sweep") as caught:
        open_ledger(root, writer=True, create=True)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    with raises("storage-address", "choose"):
        sweep_root(circle_spec().model_copy(update={"storage": str(root)}))
    job = tmp_path / "job.yaml"
    text = Path("jobs/quickstart.yaml").read_text(encoding="utf-8")
    job.write_text(text, encoding="utf-8")
    assert main(["check", str(job), "--storage", str(root)]) == 2
    told = capsys.readouterr().err
    assert "the path has" in told
    assert "Traceback" not in told
    assert [p.name for p in tmp_path.iterdir()] == ["job.yaml"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("s3:/bucket/x", "s3://bucket/x"),
        ("gs:/bucket/x", "gs://bucket/x"),
        ("S3:/bucket", "s3://bucket"),
        ("file://host/x", "file:///folder"),
        ("file:x", "file:///folder"),
    ],
)
def test_a_misspelt_address_does_not_become_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParetoflowError) as caught:
        as_folder(name)
    assert said in caught.value.hint
    assert list(tmp_path.iterdir()) == []
