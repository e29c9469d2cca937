"""Folders that others of the same machine could have made, linked or opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from paretoflow.core.errors import UserError
from paretoflow.core.protocols import Parallel
from paretoflow.engine.runtime.run_files import RunFiles
from paretoflow.storage import as_folder, private
from paretoflow.storage.cache import adapter_cache
from paretoflow.storage.private import private_folder, scratch_folder
from tests.faults import raises


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    return tmp_path


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_it_is_this_users_alone_whatever_the_umask(temporary: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        folder = scratch_folder()
    finally:
        os.umask(before)
    assert folder == temporary / f"paretoflow-{os.getuid()}"
    assert _mode(folder) == 0o700
    assert scratch_folder() == folder, "it is found again"


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701])
def test_one_that_others_could_look_into_is_closed(temporary: Path, mode: int) -> None:
    scratch_folder().chmod(mode)
    assert _mode(scratch_folder()) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o702])
def test_one_that_others_could_write_into_is_refused(temporary: Path, mode: int) -> None:
    scratch_folder().chmod(mode)
    with raises("usage", "TMPDIR", "users") as caught:
        scratch_folder()
    assert "TMPDIR" in caught.value.hint


def test_somebody_elses_is_refused(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, me = scratch_folder(), os.getuid()
    monkeypatch.setattr(private.os, "getuid", lambda: me + 1)
    with pytest.raises(UserError, match=f"belongs to another user \\(uid {me}\\)"):
        private_folder(folder)


@pytest.mark.parametrize("target", ["a folder", "a file", "nothing"])
def test_a_link_is_not_followed(temporary: Path, target: str) -> None:
    there = temporary / "elsewhere"
    if target == "a folder":
        there.mkdir()
    elif target == "a file":
        there.touch()
    (temporary / f"paretoflow-{os.getuid()}").symlink_to(there)
    with raises("usage", "link"):
        scratch_folder()
    assert there.exists() is (target != "nothing")


def test_a_file_in_its_place_is_refused(temporary: Path) -> None:
    (temporary / f"paretoflow-{os.getuid()}").touch()
    with raises("usage", "folder"):
        scratch_folder()


def test_a_sweep_of_an_object_store_keeps_its_states_there(temporary: Path, s3_bucket: str) -> None:
    files = RunFiles(as_folder(f"s3://{s3_bucket}/sweeps/one"), Parallel())
    assert files.root.parent == scratch_folder()
    assert not files.root.exists() or _mode(files.root.parent) == 0o700
    scratch_folder().chmod(0o777)
    with raises("usage", "trusted"):
        RunFiles(as_folder(f"s3://{s3_bucket}/sweeps/one"), Parallel())


def test_copies_of_adapters_are_kept_in_the_users_cache_or_in_scratch(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(temporary / "cache"))
    assert adapter_cache() == temporary / "cache" / "paretoflow" / "adapters"
    assert _mode(temporary / "cache" / "paretoflow") == 0o700
    (temporary / "cache" / "paretoflow").chmod(0o777)
    with raises("usage", "XDG_CACHE_HOME", "users"):
        adapter_cache()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", _nobody)
    assert adapter_cache() == scratch_folder() / "adapters"
    monkeypatch.setenv("HOME", "/proc")  # nobody may write there
    monkeypatch.setattr("paretoflow.storage.cache.os.access", lambda path, mode: False)
    assert adapter_cache() == scratch_folder() / "adapters"


def _nobody(uid: int) -> None:
    raise KeyError(f"getpwuid(): uid not found: {uid}")
