"""Ends of programs that are to be servers; tests/vllm starts the real one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paretoflow.core.errors import WorkerError
from paretoflow.lm.served.process import OwnServer, ServerCommand
from paretoflow.lm.served.setup import require_executable
from paretoflow.spec.models import GenerationSpec
from tests.faults import raises

pytestmark = pytest.mark.train


def _command(tmp_path: Path, script: str) -> ServerCommand:
    return ServerCommand(["/bin/sh", "-c", script], {"OWN": "set"}, tmp_path / "logs" / "vllm.log")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_server_that_ends_at_its_start_shows_its_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/the/worker's/own")
    monkeypatch.setenv("RANK", "3")
    server = OwnServer(
        _command(tmp_path, "echo $OWN-$PYTHONPATH-$RANK-; echo no memory >&2; exit 3")
    )
    with pytest.raises(WorkerError) as caught:
        server.ready()
    assert "status 3" in caught.value.what
    assert "no memory" in caught.value.what
    log = tmp_path / "logs" / "vllm.log"
    assert log.read_text().count("set---") == 1, "not without the worker's packages and ranks"
    assert str(log) in caught.value.what
    with pytest.raises(WorkerError):
        server.ready()
    assert log.read_text().count("set---") == 2, "it is started again where it is needed again"


def test_nothing_is_left_of_a_server_when_its_worker_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, sys, time; from pathlib import Path;"
        "from paretoflow.lm.served.process import OwnServer, ServerCommand;"
        f"words = ['/bin/sh', '-c', 'sleep 60 & echo $! > {tmp_path}/child; sleep 60'];"
        f"server = OwnServer(ServerCommand(words, {{}}, Path('{tmp_path}/log')));"
        f"\nwhile not Path('{tmp_path}/child').exists(): time.sleep(0.01)\n"
        "print(server.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()
    pids = [int(done.stdout), int((tmp_path / "child").read_text())]
    until_s = time.monotonic() + 20
    while any(map(_is_alive, pids)) and time.monotonic() < until_s:
        time.sleep(0.02)
    assert not any(map(_is_alive, pids))


def test_a_closed_server_is_gone(tmp_path: Path) -> None:
    server = OwnServer(_command(tmp_path, "sleep 60"))
    assert _is_alive(server.pid)
    server.close()
    assert not _is_alive(server.pid)


def test_an_executable_is_found_by_name_or_path(tmp_path: Path) -> None:
    own = tmp_path / "vllm"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    found = require_executable(GenerationSpec(engine="vllm", command=str(own)))
    assert Path(found) == own
    assert os.access(require_executable(GenerationSpec(engine="vllm", command="sh")), os.X_OK)
    with raises("model-server-start", "no-vllm-here"):
        require_executable(GenerationSpec(engine="vllm", command="no-vllm-here"))
