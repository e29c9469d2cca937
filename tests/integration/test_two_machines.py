"""The two-machine recipe of cluster/README.md, run: a network namespace stands for each machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "cluster" / "README.md"
WITHIN_S = 120
ASK = """
import json, ray
ray.init(address="10.0.0.1:6379", log_to_driver=False, logging_level="ERROR")
@ray.remote(num_cpus=1)
def where():
    return ray.util.get_node_ip_address()
there = [where.options(label_selector={"machine": m}).remote() for m in ("first", "second")]
print(json.dumps(ray.get(there, timeout=60)))
nodes = [node for node in ray.nodes() if node["Alive"]]
print(json.dumps({node["NodeManagerAddress"]: node["Labels"]["machine"] for node in nodes}))
"""


@dataclass(frozen=True)
class Machine:
    """A network namespace with an address, a home and a temporary folder of its own."""

    name: str
    ip: str
    folder: Path
    begun: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *command: str, **more: str) -> subprocess.Popen[str]:
        """Start a command there, with its output in a file."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        env |= {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", "HOME": str(self.folder)}
        env |= {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}"}
        with (self.folder / "log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *command],
                env=env | more,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.begun.append(process)
        return process

    def does(self, *command: str, **more: str) -> bool:
        """Return whether a command succeeds there."""
        return self.start(*command, **more).wait(WITHIN_S) == 0

    def log(self) -> str:
        """Return what was printed there."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def end(self) -> None:
        """Kill what runs there, and nothing else; take the machine away."""
        pids = subprocess.run(
            ["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False
        )
        for pid in pids.stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in self.begun:
            process.wait(30)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def machines() -> Iterator[tuple[Machine, Machine]]:
    """Two machines on a network of their own; Ray's sockets need a short path."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("needs network namespaces: `ip` and root")
    root = Path(tempfile.mkdtemp(prefix="pf", dir="/tmp"))
    names = [f"pf{os.getpid()}{end}" for end in "ab"]
    made = [Machine(n, f"10.0.0.{i}", root / n[-1]) for i, n in enumerate(names, 1)]
    try:
        for machine in made:
            machine.folder.mkdir()
            ip("netns", "add", machine.name)
        ip(
            "link",
            "add",
            "cable",
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            "cable",
            "netns",
            names[1],
        )
        for machine in made:
            ip("-n", machine.name, "addr", "add", f"{machine.ip}/24", "dev", "cable")
            ip("-n", machine.name, "link", "set", "lo", "up")
            ip("-n", machine.name, "link", "set", "cable", "up")
    except subprocess.CalledProcessError as error:
        for machine in made:
            machine.end()
        shutil.rmtree(root, ignore_errors=True)
        pytest.skip(f"needs network namespaces: {error.stderr.decode().strip()}")
    yield made[0], made[1]
    for machine in made:
        machine.end()
    shutil.rmtree(root, ignore_errors=True)


def recipe(machine: Machine) -> list[str]:
    """Return the README's `ray start` for a machine, made small and kept in the foreground."""
    lines = README.read_text(encoding="utf-8").splitlines()
    (line,) = (x for x in lines if x.startswith("ray start") and f"address={machine.ip} " in x)
    small = [
        "--num-cpus=1",
        "--object-store-memory=80000000",
        f"--temp-dir={machine.folder / 'ray'}",
    ]
    return [*line.split(), *small, "--block"]


def until(machine: Machine, running: subprocess.Popen[str], *command: str) -> None:
    end = time.monotonic() + WITHIN_S
    while not machine.does(*command):
        assert running.poll() is None, machine.log()
        assert time.monotonic() < end, machine.log()
        time.sleep(0.3)


@pytest.mark.ray
@pytest.mark.full
def test_two_machines_join_with_the_token_and_run_what_is_meant_for_them(
    machines: tuple[Machine, Machine],
) -> None:
    pytest.importorskip("ray", reason="needs the extra `ray`")
    first, second = machines
    assert not first.does(*recipe(first)), "Ray must not start without a token"
    assert first.does("ray", "get-auth-token", "--generate")
    shutil.copytree(first.folder / ".ray", second.folder / ".ray")
    ready = ("ray", "health-check", "--address", "10.0.0.1:6379")
    until(first, first.start(*recipe(first)), *ready)
    assert not second.does(*ready, RAY_AUTH_TOKEN="f" * 64), "another token must not get in"
    joined = second.start(*recipe(second))
    script = first.folder / "ask.py"
    script.write_text(ASK, encoding="utf-8")
    before = len(first.log())
    assert first.does(sys.executable, str(script)), first.log() + second.log()
    told = [json.loads(x) for x in first.log()[before:].splitlines() if x.startswith(('["', '{"'))]
    assert told == [["10.0.0.1", "10.0.0.2"], {"10.0.0.1": "first", "10.0.0.2": "second"}]
    assert joined.poll() is None
