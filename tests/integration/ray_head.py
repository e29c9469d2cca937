"""A Ray head of its own on this machine, with token authentication, for as long as a test lasts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from paretoflow.core.errors import ClusterError
from paretoflow.engine.cluster.dashboard import Dashboard, Token

PATIENCE_S = 120
MARK = "PARETOFLOW_TEST_HEAD"


class RayHead:
    """A head with its dashboard; use it as a context manager.

    All that it starts carries a mark in its environment, so that it ends that and nothing else.

    Args:
        cpus: Logical cores.
        env: Further environment variables of the cluster.
    """

    def __init__(self, cpus: int = 2, env: Mapping[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pf-head-", dir="/tmp"))  # sockets need it short
        self.token = uuid.uuid4().hex
        (self.folder / "token").write_text(self.token)
        self._mark = uuid.uuid4().hex
        self._env = {**(env or {}), MARK: self._mark}
        self._gcs, self._port, *self._others = _free_ports(7)
        self._cpus = cpus
        self.address = f"http://127.0.0.1:{self._port}"

    @property
    def access(self) -> dict[str, str]:
        """Return the environment of a machine that may use the cluster."""
        return {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.folder / "token"),
            "RAY_USAGE_STATS_ENABLED": "0",
        }

    def __enter__(self) -> RayHead:
        agent, grpc, client, metrics, envs = self._others
        words = [
            *("--head", "--block", "--disable-usage-stats"),
            *("--temp-dir", str(self.folder / "ray"), "--num-cpus", str(self._cpus)),
            *("--object-store-memory", str(128 * 2**20)),
            *("--port", str(self._gcs), "--dashboard-host", "127.0.0.1"),
            *("--dashboard-port", str(self._port), "--dashboard-agent-listen-port", str(agent)),
            *("--dashboard-agent-grpc-port", str(grpc), "--ray-client-server-port", str(client)),
            *("--metrics-export-port", str(metrics), "--runtime-env-agent-port", str(envs)),
            *("--min-worker-port", "0", "--max-worker-port", "0"),
        ]
        beside = Path(sys.executable).parent
        path = f"{beside}{os.pathsep}{os.environ['PATH']}"  # jobs call `python`
        with (self.folder / "log.txt").open("w") as log:
            self._process = subprocess.Popen(
                [str(beside / "ray"), "start", *words],
                env=os.environ | self.access | {"PATH": path} | self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait()
        return self

    def __exit__(self, *about: object) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        """Return all that the head has started, at any remove."""
        return [p for p in psutil.process_iter() if _environment(p).get(MARK) == self._mark]

    def drivers(self, root: Path | str) -> list[psutil.Process]:
        """Return the processes that drive the sweep of a folder: its jobs', not their shells."""
        return [
            p
            for p in self.processes()
            if (words := _words(p))[1:4] == ["-m", "paretoflow.cli.main", "resume"]
            and words[4] == str(root)
        ]

    def _wait(self) -> None:
        dashboard = Dashboard(self.address, Token(self.token, "the test"))
        deadline = time.monotonic() + PATIENCE_S
        while self._process.poll() is None and time.monotonic() < deadline:
            with suppress(ClusterError):
                if dashboard.check() and dashboard.nodes():
                    return
            time.sleep(0.3)
        raise AssertionError((self.folder / "log.txt").read_text())


def _free_ports(count: int) -> Iterator[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [int(one.getsockname()[1]) for one in sockets]
    return iter(ports)


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return {}


def _words(process: psutil.Process) -> list[str]:
    try:
        return [*process.cmdline(), "", "", "", "", ""]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return [""] * 5
