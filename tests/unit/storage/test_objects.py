from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from paretoflow.core import retry
from paretoflow.core.errors import StorageError
from paretoflow.storage import as_folder
from paretoflow.storage.objects import ObjectFolder
from tests.faults import raises
from tests.s3_server import KEYS, Proxy, ask


def clock(sleep: Callable[[float], None]) -> SimpleNamespace:
    """Return a clock for one module: with `time.sleep` itself, the server's threads would spin."""
    return SimpleNamespace(monotonic=time.monotonic, sleep=sleep)


@pytest.fixture
def folder(s3_bucket: str) -> ObjectFolder:
    return ObjectFolder(f"s3://{s3_bucket}/sweeps/one")


def test_it_goes_by_its_uri() -> None:
    folder = ObjectFolder("s3://bucket//a/b/")
    assert (folder.uri, str(folder), folder.local) == ("s3://bucket/a/b", "s3://bucket/a/b", None)
    assert folder == as_folder("s3://bucket/a/b") == pickle.loads(pickle.dumps(folder))
    assert folder != ObjectFolder("s3://bucket/a")
    assert len({folder, ObjectFolder("s3://bucket/a/b")}) == 1
    assert folder.below("c/d").uri == "s3://bucket/a/b/c/d"
    assert ObjectFolder("gs://bucket").below("a").uri == "gs://bucket/a"


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("hdfs://bucket/a", "allowed: a folder, file:///folder, s3://"),
        ("s3://b/a", "got the bucket 'b'"),
        ("s3:///a", "got the bucket ''"),
        ("s3://Bucket/a", "lower-case"),
        ("s3://bucket/a b", "got the prefix 'a b'"),
        ("s3://bucket/a%20b", "got the prefix"),
        ("s3://bucket/../a", "got the prefix"),
        ("gs://bucket/ü", "got the prefix"),
    ],
)
def test_a_uri_of_no_place_is_refused_with_a_hint(uri: str, says: str) -> None:
    with pytest.raises(StorageError) as caught:
        ObjectFolder(uri)
    assert says in caught.value.what
    assert caught.value.where == uri
    assert caught.value.hint


def test_secrets_are_no_part_of_it_nor_of_what_delta_is_told(folder: ObjectFolder) -> None:
    told = f"{folder!r} {pickle.dumps(folder)!r} {folder.object_store_options(30.0)}"
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in told


def test_sending_and_fetching_a_folder(folder: ObjectFolder, tmp_path: Path) -> None:
    source = tmp_path / "adapter"
    (source / "deep").mkdir(parents=True)
    (source / "a.bin").write_bytes(bytes(range(256)) * 50_000)
    (source / "deep" / "empty").write_bytes(b"")
    folder.write("adapters/r1/old", b"of an earlier attempt")
    folder.send(source, "adapters/r1")
    assert folder.names("adapters") == ["adapters/r1/a.bin", "adapters/r1/deep/empty"]
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "left").write_bytes(b"over")
    copy = folder.fetch("adapters/r1", tmp_path / "copy")
    assert copy == tmp_path / "copy"
    assert sorted(p.relative_to(copy).as_posix() for p in copy.rglob("*")) == [
        "a.bin", "deep", "deep/empty",
    ]  # fmt: skip
    assert (copy / "a.bin").read_bytes() == (source / "a.bin").read_bytes()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_bucket_that_is_not_there_is_named(s3_bucket: str) -> None:
    folder = ObjectFolder("s3://no-such-bucket/sweeps")
    for call in (
        lambda: folder.read("spec.json"),
        lambda: folder.write("spec.json", b"{}"),
        lambda: folder.names(),
    ):
        with raises("storage-no-bucket", "'no-such-bucket'") as caught:
            call()
        assert caught.value.hint


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_told_at_once_without_secrets(
    s3_bucket: str, s3_proxy: Proxy, status: int
) -> None:
    folder = ObjectFolder(f"s3://{s3_bucket}/sweeps")
    s3_proxy.status = status
    for call in (
        lambda: folder.read("spec.json"),
        lambda: folder.write("spec.json", b"{}"),
        lambda: folder.put("spec.json", b"{}"),
        lambda: folder.names(),
        lambda: folder.delete("spec.json"),
    ):
        before = len(s3_proxy.requests)
        with raises("storage-denied", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") as caught:
            call()
        assert s3_bucket in caught.value.what
        assert "AWS_ACCESS_KEY_ID" in caught.value.hint
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)
        assert len(s3_proxy.requests) - before <= 2


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_passes_is_waited_for(
    s3_bucket: str, s3_proxy: Proxy, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ObjectFolder(f"s3://{s3_bucket}/sweeps")

    def mend(pause_s: float) -> None:
        assert 0 < pause_s <= 5
        if len(s3_proxy.requests) > 4:
            s3_proxy.status = None

    monkeypatch.setattr(retry, "time", clock(mend))
    s3_proxy.status = status
    folder.write("a", b"1")
    assert len(s3_proxy.requests) > 4
    s3_proxy.requests.clear()
    s3_proxy.status = status
    assert folder.read("a") == b"1"


def test_a_server_that_is_away_is_waited_for(
    s3_bucket: str, s3_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ObjectFolder(f"s3://{s3_bucket}/sweeps")
    pauses: list[float] = []

    def wait(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 3:
            s3_proxy.start()

    s3_proxy.stop()
    monkeypatch.setattr(retry, "time", clock(wait))
    folder.write("a", b"1")
    assert pauses == [0.1, 0.2, 0.4]
    assert folder.read("a") == b"1"


def test_patience_ends(s3_bucket: str, s3_proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ObjectFolder(f"s3://{s3_bucket}/sweeps")
    s3_proxy.stop()
    monkeypatch.setattr(retry, "OUTAGE_S", 0.3)
    with raises("storage-no-answer", "for 0.3") as caught:
        folder.write("a", b"1")
    assert "AWS_ENDPOINT_URL" in caught.value.hint


def test_it_finds_the_place_by_the_environment_of_the_moment(
    s3_bucket: str, s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ObjectFolder(f"s3://{s3_bucket}/sweeps")
    folder.write("a", b"1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server)
    assert folder.read("a") == b"1"


def test_an_object_is_one_request(s3_bucket: str, s3_proxy: Proxy, s3_server: str) -> None:
    ObjectFolder(f"s3://{s3_bucket}/sweeps").write("a", b"1")
    assert s3_proxy.requests == [("PUT", f"/{s3_bucket}/sweeps/a")]
    assert ask(s3_server, "GET", f"/{s3_bucket}/sweeps/a").status == 200
