"""What every folder promises, wherever it lies."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paretoflow.storage import Folder, as_folder


class TestFolder:
    """Run over a local folder and an object store."""

    @pytest.fixture(params=["disk", "s3"])
    def folder(self, request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
        if request.param == "s3":
            return as_folder(f"s3://{request.getfixturevalue('s3_bucket')}/sweeps/one")
        return as_folder(tmp_path / "sweeps" / "one")

    def test_it_is_empty_before_anything_is_written(self, folder: Folder) -> None:
        assert folder.names() == folder.names("deep/er") == []
        assert not folder.exists("a")
        folder.delete("a")
        with pytest.raises(FileNotFoundError):
            folder.read("a")

    def test_what_is_written_is_read(self, folder: Folder) -> None:
        for content in (b"", b"one", bytes(range(256)) * 40_000):
            folder.write("deep/er/a.bin", content)
            assert folder.read("deep/er/a.bin") == content
        assert folder.exists("deep/er/a.bin")
        assert not folder.exists("deep/er")
        with pytest.raises(FileNotFoundError):
            folder.read("deep")
        with pytest.raises(FileNotFoundError):
            folder.read("deep/er/a.bin/b")

    def test_put_writes_only_where_nothing_is(self, folder: Folder) -> None:
        assert folder.put("a/b", b"first")
        assert not folder.put("a/b", b"second")
        assert folder.read("a/b") == b"first"

    def test_many_putting_the_same_leave_it_whole(self, folder: Folder) -> None:
        content = b"x" * 100_000
        with ThreadPoolExecutor(8) as writers:
            told = list(writers.map(lambda _: folder.put("a/b", content), range(8)))
        assert any(told)
        assert folder.read("a/b") == content
        assert folder.names() == ["a/b"]

    def test_names_are_sorted_whole_files_at_any_depth(self, folder: Folder) -> None:
        for name in ("b", "a/2", "a/10", "a/x/1", "ab/1", "a/.half"):
            folder.write(name, b"1")
        assert folder.names() == ["a/10", "a/2", "a/x/1", "ab/1", "b"]
        assert folder.names("a") == ["a/10", "a/2", "a/x/1"]
        assert folder.names("b/c") == []

    def test_deleting_takes_a_file_or_all_below(self, folder: Folder) -> None:
        for name in ("a/1", "a/x/2", "ab/1", "b"):
            folder.write(name, b"1")
        folder.delete("a")
        assert folder.names() == ["ab/1", "b"]
        folder.delete("b")
        folder.delete("b")
        assert folder.names() == ["ab/1"]

    def test_a_folder_below_is_a_folder(self, folder: Folder) -> None:
        below = folder.below("x/y")
        below.write("a", b"1")
        assert folder.read("x/y/a") == b"1"
        assert below.names() == ["a"]
        assert below.uri == f"{folder.uri}/x/y" == str(below)

    def test_it_can_be_sent_to_another_process(self, folder: Folder) -> None:
        folder.write("a", b"1")
        again = pickle.loads(pickle.dumps(folder))
        assert again == folder
        assert again.read("a") == b"1"
        assert as_folder(folder) is folder
        assert as_folder(folder.uri) == folder

    def test_a_sent_folder_is_fetched_as_it_was(self, folder: Folder, tmp_path: Path) -> None:
        source = tmp_path / "made here"
        (source / "deep").mkdir(parents=True)
        (source / "a").write_bytes(b"1")
        (source / "deep" / "b").write_bytes(b"2")
        folder.send(source, "adapters/r1")
        assert folder.names() == ["adapters/r1/a", "adapters/r1/deep/b"]
        fetched = folder.fetch("adapters/r1", tmp_path / "fetched")
        assert (fetched / "deep" / "b").read_bytes() == b"2"
        assert (source / "a").read_bytes() == b"1"
        (source / "a").write_bytes(b"other")
        (source / "deep" / "b").unlink()
        folder.send(source, "adapters/r1")
        assert folder.names() == ["adapters/r1/a"]
        assert folder.read("adapters/r1/a") == b"other"

    def test_nothing_cannot_be_fetched(self, folder: Folder, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            folder.fetch("adapters/r1", tmp_path / "fetched")
        assert not (tmp_path / "fetched").exists()
