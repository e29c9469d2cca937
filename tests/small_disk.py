"""Real disks of a few hundred kilobytes, for tests of full disks."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(at: Path, kib: int, inodes: int = 0) -> Iterator[Path]:
    """Mount a file system of `kib` KiB in memory, with at most `inodes` files and folders if set.

    Skip the test if mounting is not allowed.
    """
    if shutil.which("mount") is None:
        pytest.skip("no mount command: a disk that fills up cannot be made")
    at.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kib}k,nr_inodes={inodes},mode=777", "none", str(at)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no small disk here: {made.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Write a file that fills a disk except for `leave` bytes; return it, for removal."""
    ballast = disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
    except OSError:
        pass
    with ballast.open("rb+") as file:
        file.truncate(max(0, ballast.stat().st_size - leave))
    return ballast
