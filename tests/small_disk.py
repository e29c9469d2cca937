"""Disks of a few hundred kilobytes, which fill up for real."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(at: Path, kib: int, inodes: int = 0) -> Iterator[Path]:
    """Mount a file system of so many KiB in memory, perhaps for so many files and folders only.

    Skips the test where that is not allowed.
    """
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
    """Write a file that takes all of a disk but so many bytes; return it, to be removed."""
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
