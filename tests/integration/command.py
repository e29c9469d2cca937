"""A `paretoflow` command in a session of its own, as a terminal starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

PATIENCE_S = 240


class Command:
    """A running command whose lines are read as they come.

    Args:
        module: What is run; one of the tests' own stands in for `paretoflow` where that is named.
    """

    def __init__(
        self, words: Sequence[str], cwd: Path, module: str = "paretoflow.cli.main"
    ) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._sessions: set[int] = set()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            cwd=cwd,
            env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            for line in pipe:
                with self._news:
                    self.lines.append(line.rstrip())
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def wait_for(self, part: str) -> str:
        """Return the first line that holds `part`."""

        def found() -> str | None:
            return next((line for line in self.lines if part in line), None)

        with self._news:
            self._news.wait_for(lambda: found() or not self._reader.is_alive(), PATIENCE_S)
            line = found()
        assert line is not None, f"no line with {part!r} in:\n{self.text}"
        return line

    def wait(self) -> int:
        """Wait for the command to end by itself, with all that it started; return its status."""
        status = self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status

    def interrupt(self, number: int = signal.SIGINT, *, group: bool = True) -> None:
        """Do what Ctrl-C does: SIGINT to the whole foreground group; or another signal."""
        self._members()
        (os.killpg if group else os.kill)(self._process.pid, number)

    def kill(self) -> None:
        """Kill the command's own process with -9; what it started must notice by itself."""
        self._members()
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def workers(self) -> list[psutil.Process]:
        """Return Ray's worker processes of this command that train."""
        return [p for p in self._members() if _command_line(p).startswith("ray::RayWorker")]

    def raylets(self) -> list[psutil.Process]:
        """Return the raylets that this command has started."""
        members = psutil.Process(self.pid).children(recursive=True)
        return [p for p in members if p.name() == "raylet"]

    def workers_left(self, patience_s: float) -> list[psutil.Process]:
        """Return the workers that still live after a while."""
        deadline = time.monotonic() + patience_s
        while (left := self.workers()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return left

    def end(self) -> None:
        """Leave nothing of the command's session behind."""
        for process in self._members():
            process.kill()
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)

    def _members(self) -> list[psutil.Process]:
        """Return what lives of the command's session, and of those that its Ray made."""
        self._sessions.add(self._process.pid)
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children(recursive=True):
                self._sessions.add(_session_of(child))
        self._sessions.discard(-1)
        return [p for p in psutil.process_iter() if _session_of(p) in self._sessions]


def _session_of(process: psutil.Process) -> int:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return -1
        return os.getsid(process.pid)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return -1


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""
