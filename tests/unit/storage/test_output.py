"""Whole or not at all: on a full disk, at impossible places, after an interrupt."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from paretoflow.core.errors import StorageError
from paretoflow.storage.output import whole_folder, write_file
from tests.faults import raises


def left_in(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    write_file(path, b"one")
    path.chmod(0o640)
    write_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640
    assert left_in(path.parent) == {"page.html"}


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_file(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"x"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_file(pipe, b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("folder", "name a file"),
        ("file/below", "a part of the path is a file"),
        ("n" * 300, "shorter name"),
        ("loop/x", "name another place"),
    ],
)
def test_a_place_that_cannot_be_is_named_with_what_to_do(
    tmp_path: Path, place: str, said: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = left_in(tmp_path)
    with raises("storage-refused", "written") as caught:
        write_file(tmp_path / place, b"content")
    assert said in caught.value.hint
    assert caught.value.where.startswith(str(tmp_path))
    assert "\n" not in str(caught.value)
    assert left_in(tmp_path) == before


@pytest.mark.parametrize("place", ["file/below/x", "n" * 300])
def test_a_folder_that_cannot_be_is_named_with_what_to_do(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("x")
    with raises("storage-refused", "written"), whole_folder(tmp_path / place):
        pass
    assert left_in(tmp_path) == {"file"}


def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    name = "n" * 255
    write_file(tmp_path / name, b"x")
    with whole_folder(tmp_path / ("m" * 255)) as stage:
        (stage / "a").write_bytes(b"x")
    assert left_in(tmp_path) == {name, "m" * 255}


def test_a_full_disk_leaves_what_was_there(small_disk: Path) -> None:
    page, out = small_disk / "page", small_disk / "out"
    write_file(page, b"good")
    with whole_folder(out) as stage:
        (stage / "a").write_bytes(b"good")
    too_much = b"x" * (64 << 20)
    with raises("storage-refused", "space") as caught:
        write_file(page, too_much)
    assert "free some space" in caught.value.hint
    with raises("storage-refused", "space"), whole_folder(out) as stage:
        (stage / "a").write_bytes(too_much)
    assert page.read_bytes() == (out / "a").read_bytes() == b"good"
    assert left_in(small_disk) == {"page", "out"}


def interrupt(out: Path) -> None:
    def write(stage: Path) -> None:
        (stage / "half").write_bytes(b"x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), whole_folder(out) as stage:
        write(stage)


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    interrupt(out)
    assert left_in(tmp_path) == set()
    out.mkdir()
    (out / "earlier").write_bytes(b"x")
    interrupt(out)
    assert left_in(out) == {"earlier"}


def test_another_file_that_fails_is_named_itself(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(StorageError) as caught, whole_folder(tmp_path / "out"):
        gone.read_bytes()
    assert caught.value.where == str(gone)
    with pytest.raises(StorageError) as other, whole_folder(tmp_path / "out"):
        raise OSError(errno.EIO, "Input/output error")
    assert other.value.where == str(tmp_path / "out")


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)]
)
def test_everybody_whom_the_umask_lets_may_read(
    tmp_path: Path, umask: int, file: int, folder: int
) -> None:
    before = os.umask(umask)
    try:
        with whole_folder(tmp_path / "out") as stage:
            (stage / "below").mkdir(mode=0o700)
            (stage / "below" / "weights").touch(mode=0o600)
            (stage / "serve.sh").touch(mode=0o700)
    finally:
        os.umask(before)
    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "out").rglob("*")}
    assert modes == {"below": folder, "weights": file, "serve.sh": folder}
