"""Programs are started with what they were promised, and ended with all that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paretoflow.core.shown import tail
from paretoflow.methods.external.process import (
    End,
    ProgramCall,
    environment,
    run_program,
)

PYTHON = (sys.executable, "-I", "-S", "-c")
CHILD = "import subprocess as s; c = s.Popen(['sleep', '60']); print(c.pid, flush=True);"


def never() -> bool:
    return False


def order(logs: Path, code: str, timeout_s: float = 30.0, grace_s: float = 0.2) -> ProgramCall:
    return ProgramCall((*PYTHON, code), environment((), {}), logs, timeout_s, grace_s)


def gone(pid: int) -> bool:
    """Return whether a process has ended within a few seconds; one not yet reaped has."""
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s:
        stat = Path(f"/proc/{pid}/stat")
        try:
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def printed(logs: Path) -> str:
    return (logs / "stdout.log").read_text()


def test_a_program_ends_with_its_status_and_its_words_are_kept(tmp_path):
    code = "import sys; print('out'); sys.stderr.write('err'); sys.exit(3)"
    ended = run_program(order(tmp_path, code), never)
    assert (ended.why, ended.status) == (End.ITSELF, 3)
    assert 0 < ended.wall_s < 30
    assert printed(tmp_path) == "out\n"
    assert (tmp_path / "stderr.log").read_text() == "err"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_signal_is_told_as_one(number, tmp_path):
    ended = run_program(order(tmp_path, f"import os; os.kill(os.getpid(), {int(number)})"), never)
    assert (ended.why, ended.status) == (End.ITSELF, -number)


def test_there_is_no_shell_and_nothing_to_read(tmp_path):
    words = (*PYTHON, "import sys; print(sys.argv[1:], sys.stdin.read())", "$HOME; ls", "*")
    given = ProgramCall(words, environment((), {}), tmp_path, 30, 0)
    assert run_program(given, never).status == 0
    assert printed(tmp_path) == "['$HOME; ls', '*'] \n"


def test_past_its_time_it_is_ended_with_its_children(tmp_path):
    ended = run_program(order(tmp_path, CHILD + "c.wait()", timeout_s=0.5), never)
    assert ended.why is End.TIMEOUT
    assert 0.5 <= ended.wall_s < 30
    assert gone(int(printed(tmp_path)))


def test_a_child_that_is_left_behind_is_killed(tmp_path):
    assert run_program(order(tmp_path, CHILD), never).why is End.ITSELF
    assert gone(int(printed(tmp_path)))


def test_asked_to_stop_it_may_save_first_while_its_children_go_on(tmp_path):
    code = f"""
import signal, sys
{CHILD}
def save(*_):
    print("saved while the child lives:", c.poll() is None, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
signal.pause()
"""
    ended = run_program(order(tmp_path, code, grace_s=20), lambda: "ready" in printed(tmp_path))
    assert (ended.why, ended.status) == (End.STOPPED, 0)
    child, _, saved = printed(tmp_path).splitlines()
    assert saved == "saved while the child lives: True"
    assert gone(int(child))


def test_deaf_to_that_it_is_killed_after_its_grace(tmp_path):
    code = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"{CHILD} signal.pause(); signal.pause()"
    )
    ended = run_program(order(tmp_path, code, grace_s=0.3), lambda: bool(printed(tmp_path)))
    assert (ended.why, ended.status) == (End.STOPPED, -signal.SIGKILL)
    assert gone(int(printed(tmp_path)))


def test_an_error_of_the_watcher_ends_it_too(tmp_path):
    def fail() -> bool:
        if printed(tmp_path):
            raise KeyError("watch")
        return False

    with pytest.raises(KeyError, match="watch"):
        run_program(order(tmp_path, CHILD + "c.wait()"), fail)
    assert gone(int(printed(tmp_path)))


def test_it_does_not_outlive_who_asked_for_it(tmp_path):
    code = (
        "from pathlib import Path; import sys;"
        "from tests.unit.methods.external.test_process import *;"
        "run_program(order(Path(sys.argv[1]), CHILD + 'print(1, flush=True); c.wait()'), never)"
    )
    asker = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env={**os.environ})
    log, until_s = tmp_path / "stdout.log", time.monotonic() + 30
    while not (log.exists() and printed(tmp_path).count("\n") == 2):
        assert asker.poll() is None
        assert time.monotonic() < until_s
        time.sleep(0.02)
    asker.kill()
    asker.wait()
    assert gone(int(printed(tmp_path).splitlines()[0]))


def test_only_named_variables_are_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("WANTED", "token")
    env = environment(("WANTED",), {"PARETOFLOW_REQUEST": "here"})
    assert env["HOME"] == "/home/me"
    assert env["CUDA_VISIBLE_DEVICES"] == "3"
    assert (env["WANTED"], env["PARETOFLOW_REQUEST"]) == ("token", "here")
    assert "AWS_SECRET_ACCESS_KEY" not in env
    with pytest.raises(KeyError, match="ABSENT_NAME"):
        environment(("ABSENT_NAME",), {})
    run_program(
        ProgramCall((*PYTHON, "import os; print(sorted(os.environ))"), env, tmp_path, 30, 0), never
    )
    assert "secret" not in printed(tmp_path)
    assert "AWS" not in printed(tmp_path)


def test_the_end_of_a_log_is_short_whatever_is_in_it(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(
        b"\xff\x00" * 9000 + b"\n" + b"\n".join(b"line %d" % i for i in range(50)) + b"\n\n"
    )
    assert tail(log, lines=2) == "line 48\nline 49"
    assert len(tail(log)) < 9000
    log.write_bytes(b"")
    assert tail(log) == ""
