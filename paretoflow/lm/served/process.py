"""A vLLM server that a worker starts for itself, on the loopback address.

It ends with the worker, however that ends: `core.guard` kills the server's whole process group when
the pipe from the worker closes, which a `kill -9` of the worker does too.
"""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from paretoflow.core.errors import WorkerError
from paretoflow.core.guard import GUARD
from paretoflow.core.shown import tail
from paretoflow.lm.served.client import VllmServer

START_S = 1800.0
"""Longest time from its start until a server answers: large bases load for minutes."""
POLL_S = 0.5
_LOOPBACK = "127.0.0.1"
_LINES = 12
_NOT_PASSED = ("RAY_", "PYTHONPATH", "PYTHONHOME", "MASTER_", "RANK", "WORLD_SIZE", "LOCAL_")
"""Beginnings of variables that are the worker's own: its packages, and its process group."""


@dataclass(frozen=True)
class ServerCommand:
    """The command of a server, without its address.

    Args:
        words: The executable and its arguments.
        env: Variables beside those of this process.
        log: Log of the server; each start is appended.
    """

    words: Sequence[str]
    env: Mapping[str, str]
    log: Path


class OwnServer:
    """A server that this process starts, and starts again when it has ended.

    Args:
        command: Its command.
    """

    def __init__(self, command: ServerCommand) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._server, self._awaited = VllmServer(""), False
        self.start()

    def start(self) -> None:
        """Start the server; return at once.

        Raises:
            WorkerError: If its executable cannot be started.
        """
        command, port = self._command, _free_port()
        key = secrets.token_hex(16)  # other users of this machine must not use it
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_PASSED)}
        env = {**kept, **command.env, "VLLM_API_KEY": key}
        words = [*command.words, "--host", _LOOPBACK, "--port", str(port)]
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with command.log.open("ab") as log:
            log.write(f"\n{shlex.join(words)}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), *words],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )
        self._awaited = False
        weakref.finalize(self, _end, self._process)
        self._server = VllmServer(f"http://{_LOOPBACK}:{port}", key, local=True)

    def ready(self) -> Sequence[VllmServer]:
        """Return the server once it answers; start it again if it has ended.

        Raises:
            WorkerError: If it ends, or does not answer for `START_S`.
        """
        assert self._process is not None
        if self._awaited and self._process.poll() is not None:
            self.start()
        self._awaited = True
        until_s = time.monotonic() + START_S
        while not self._answers():
            status = self._process.poll()
            if status is not None:
                raise self._failure(f"ended with status {status}")
            if time.monotonic() > until_s:
                self.close()
                raise self._failure(f"does not answer after {START_S:.0f} s")
            time.sleep(POLL_S)
        return [self._server]

    def close(self) -> None:
        """End the server and all processes that it started."""
        if self._process is not None:
            _end(self._process)

    @property
    def pid(self) -> int:
        """Return the process id of the server's guard, which leads its process group."""
        assert self._process is not None
        return self._process.pid

    def _answers(self) -> bool:
        try:
            return self._server.ask("/health", wait_s=5.0).status == 200
        except WorkerError:
            return False

    def _failure(self, what: str) -> WorkerError:
        log = self._command.log
        words = f"`{self._command.words[0]} serve` {what}; the end of {log}:\n"
        hint = "the message has the server's last lines"
        return WorkerError(
            words + tail(log, _LINES), "model.generation", hint, code="worker-server"
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])
