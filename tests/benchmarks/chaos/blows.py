"""Blows to a sweep: killed processes, and disks that are full for a while."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.benchmarks.chaos.sweep import Life

DISK_BYTES = 96 * 2**20
FULL_S = (5.0, 40.0)
"""A disk stays full for a time between these."""
_CHUNK = 2**20


def kill_driver(life: Life, moments: random.Random) -> bool:
    """Kill the command's own process with -9."""
    life.process.kill()
    return True


def kill_rank(life: Life, moments: random.Random) -> bool:
    """Kill one worker process with -9, if there is one yet."""
    return _kill_one(life, "ray::RayWorker", moments)


def kill_raylet(life: Life, moments: random.Random) -> bool:
    """Kill the node's raylet with -9, if there is one yet."""
    return _kill_one(life, "raylet", moments)


def _kill_one(life: Life, begins: str, moments: random.Random) -> bool:
    found = sorted(life.members(begins), key=lambda p: p.pid)
    if not found:
        return False
    moments.choice(found).kill()
    return True


def kill_group(life: Life, moments: random.Random) -> bool:
    """Kill the command and all that it started at one stroke."""
    for process in life.members():
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
    return True


def end_group(life: Life, moments: random.Random) -> bool:
    """Send SIGTERM to the process group, as `timeout` and batch systems do."""
    life.signal_all(signal.SIGTERM)
    return True


KILLS: dict[str, Callable[[Life, random.Random], bool]] = {
    "driver -9": kill_driver,
    "rank -9": kill_rank,
    "raylet -9": kill_raylet,
    "group -9": kill_group,
    "group TERM": end_group,
}


class SmallDisk:
    """A file system of its own that can be filled to the last byte, and emptied again."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._filler = place / ".filler"

    def fill(self, seconds: float) -> None:
        """Keep it full for a while, whatever is deleted meanwhile."""
        until_s = time.monotonic() + seconds
        with self._filler.open("ab", buffering=0) as filler:
            while time.monotonic() < until_s:
                for size in (_CHUNK, 4096):
                    with suppress(OSError):
                        while filler.write(b"\0" * size) == size:
                            pass
                time.sleep(0.05)
        self._filler.unlink()


@contextmanager
def small_disk(place: Path) -> Iterator[SmallDisk]:
    """Mount a small disk; this needs root.

    Raises:
        SystemExit: If it may not be mounted.
    """
    place.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"cannot mount a small disk (root may): {done.stderr.strip()}")
    try:
        yield SmallDisk(place)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
