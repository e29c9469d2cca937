"""One small real sweep: its job, the command that drives it, and its ledger."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from paretoflow.core.errors import ParetoflowError
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event

NAME = "chaos"
MARK = "PARETOFLOW_CHAOS"
"""In the environment of all that a command starts, in whatever session."""
LIFE_S = 600.0
"""A command that takes longer hangs: that is a finding too."""


def job(storage: str, runs: int, seed: int) -> dict[str, object]:
    """Return a sweep on the model inside the package: real training, seconds for each run."""
    rouge = {"type": "rouge", "variant": "rouge1", "range": [0, 1], "ref": 0}
    length = {"type": "length", "count": "words", "range": [0, 60], "ref": 60}
    return {
        "name": NAME,
        "seed": seed,
        "model": {"type": "embedded", "generation": {"max_new_tokens": 16}},
        "data": {"type": "pydoc", "train": 8, "eval": 6, "validation": 4, "candidates": 3},
        "objectives": [{"name": "coverage", **rouge}, {"name": "brevity", **length}],
        "method": {"type": "dpo", "steps": 4, "learning_rate": 0.001, "checkpoint_every": 2},
        "proposer": {"type": "lattice"},
        "engine": {"worker_groups": 1},
        "stop": {"runs": runs},
        "storage": storage,
    }


@dataclass
class Sweep:
    """A sweep of its own folder or prefix.

    Args:
        home: Where its job and the commands' outputs are written.
        storage: What the job names as its storage.
        env: Put over the environment of each command.
    """

    home: Path
    storage: str
    env: Mapping[str, str]
    runs: int
    seed: int

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        plain = job(self.storage, self.runs, self.seed)
        (self.home / "job.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")

    @property
    def root(self) -> str:
        """Return the sweep's folder or address."""
        return f"{self.storage}/{NAME}"

    def events(self) -> tuple[Event, ...]:
        """Return what the ledger holds; nothing while there is none that can be read."""
        try:
            return tuple(open_ledger(self.root, writer=False).events())
        except ParetoflowError:
            return ()

    def drive(self, number: int) -> Life:
        """Start `paretoflow run` for the given time, in a session of its own as a terminal does."""
        log, mark = self.home / f"life-{number}.log", uuid.uuid4().hex
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "paretoflow.cli.main", "run", str(self.home / "job.yaml")],
                env={**os.environ, **self.env, MARK: mark},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Life(process, log, mark)


class Life:
    """A running command and all that it has started."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, mark: str) -> None:
        self.process = process
        self.log = log
        self._mark = mark

    @property
    def over(self) -> bool:
        """Return whether the command has ended."""
        return self.process.poll() is not None

    @property
    def text(self) -> str:
        """Return what it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def members(self, begins: str = "") -> list[psutil.Process]:
        """Return the living processes that it has started whose command line begins like this."""
        return [p for p in psutil.process_iter() if self._is_member(p, begins)]

    def _is_member(self, process: psutil.Process, begins: str) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            words = process.cmdline()
            named = not begins or Path(words[0]).name.startswith(begins) if words else False
            return named and process.environ().get(MARK) == self._mark
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the command's whole process group."""
        os.killpg(self.process.pid, number)

    def wait(self, patience_s: float = LIFE_S) -> int | None:
        """Wait for the command; return its status, None if it hangs."""
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return None

    def end(self, grace_s: float = 10.0) -> list[str]:
        """Return the names of the processes that the command left running when it had ended.

        They have a short time to end by themselves; the others are killed.
        """
        until_s = time.monotonic() + grace_s
        while self.over and (left := self.members()) and time.monotonic() < until_s:
            time.sleep(0.2)
        left = self.members()
        names = []
        for process in left:
            with suppress(psutil.NoSuchProcess):
                names.append(process.name())
                process.kill()
        self.process.wait(30)
        return names
