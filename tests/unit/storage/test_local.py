from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from paretoflow.core.errors import StorageError
from paretoflow.storage import LocalFolder, as_folder, file_at
from tests.faults import raises


def test_paths_and_file_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    assert as_folder("a/b").uri == str(tmp_path / "a" / "b")
    assert as_folder(Path("a") / ".." / "b").local == tmp_path / "b"
    assert as_folder("file:///data/s").uri == "/data/s"
    assert as_folder("~/s").uri == "/home/someone/s"
    assert as_folder("a") == LocalFolder(Path("a"))
    assert len({as_folder("a"), as_folder("./a")}) == 1
    assert file_at("a/b.txt") == (as_folder("a"), "b.txt")


def test_sending_a_folder_to_itself_leaves_it(tmp_path: Path) -> None:
    (tmp_path / "adapters").mkdir()
    (tmp_path / "adapters" / "a").write_bytes(b"1")
    folder = as_folder(tmp_path)
    folder.send(tmp_path / "adapters", "adapters")
    assert folder.fetch("adapters", tmp_path / "elsewhere") == tmp_path / "adapters"
    assert folder.names() == ["adapters/a"]


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some of your quota"),
        (errno.EROFS, "for reading only"),
        (errno.EACCES, "check the permissions"),
        (errno.EIO, "check free space and permissions"),
    ],
)
def test_what_a_disk_refuses_is_told_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    folder = as_folder(tmp_path)
    folder.write("a", b"old")

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    for call in (lambda: folder.write("a", b"new"), lambda: folder.put("b", b"new")):
        with pytest.raises(StorageError) as caught:
            call()
        assert os.strerror(number) in caught.value.what
        assert caught.value.where.startswith(str(tmp_path))
        assert hint in caught.value.hint
    monkeypatch.undo()
    assert folder.read("a") == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_keeps_what_was_there(small_disk: Path, tmp_path: Path) -> None:
    folder = as_folder(small_disk)
    folder.write("a", b"old")
    big = tmp_path / "big"
    big.mkdir()
    (big / "weights").write_bytes(bytes(2**20))
    for call in (
        lambda: folder.write("a", bytes(2**20)),
        lambda: folder.put("b", bytes(2**20)),
        lambda: folder.send(big, "adapters"),
    ):
        with raises("storage-refused", "space"):
            call()
    assert folder.read("a") == b"old"
    assert [p.name for p in small_disk.iterdir()] == ["a"]
