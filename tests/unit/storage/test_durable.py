from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from paretoflow.storage import durable
from tests.faults import raises


def test_a_file_is_put_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert durable.put_if_absent(path, b"first") is True
    assert durable.put_if_absent(path, b"second") is False
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_the_slower_of_two_writers_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first")
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert durable.put_if_absent(path, b"second") is False
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_hard_links_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    durable.require_hard_links(tmp_path)
    monkeypatch.setattr(os, "link", refuse)
    with raises("storage-no-put-if-absent", "supports"):
        durable.require_hard_links(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_new_folders_are_named_durably(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(durable, "sync_path", flushed.append)
    durable.make_folder(tmp_path / "a" / "b")
    durable.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert flushed == [tmp_path, tmp_path / "a"]
