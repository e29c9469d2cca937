"""Signals as terminals, `timeout` and batch systems send them, to sweeps on Ray that are at work.

`timeout` and batch systems signal the process group, with Ray in it, and the process besides.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event, EventKind
from tests.integration.command import Command
from tests.integration.small_cluster import eventually, small_cluster
from tests.integration.test_worker_groups import OBJECTIVE, REPOSITORY

pytestmark = [pytest.mark.ray, pytest.mark.slow]

AT_MOST_S = 30.0
STEPS = 60


class Sweep:
    """Return a job whose runs and shared stage take given times."""

    def __init__(self, home: Path) -> None:
        self.root = home / "told"
        self.root.mkdir()
        self._job = home / "job.yaml"
        plain = {
            "name": "told",
            "objectives": [{"name": name, **OBJECTIVE} for name in ("left", "right")],
            "method": {"type": "dpo", "steps": STEPS},
            "proposer": {"type": "lattice"},
            "stop": {"runs": 2},
            "engine": {"worker_groups": 1, "limits": {"silent_s": 4}},
            "storage": str(home),
        }
        self._job.write_text(yaml.safe_dump(plain))

    def pace(self, **paces: float) -> None:
        (self.root / "pace.json").write_text(json.dumps(paces))

    @contextmanager
    def driver(self, *words: str) -> Iterator[Command]:
        words = ("run", str(self._job), *words)
        command = Command(words, REPOSITORY, "tests.integration.cheap_driver")
        try:
            yield command
        finally:
            command.end()

    def events(self, *kinds: EventKind) -> list[Event]:
        found = open_ledger(self.root, writer=False).events()
        return [e for e in found if e.kind in kinds or not kinds]

    def staged(self) -> int:
        told = self.root / "stage.txt"
        return int(told.read_text() or 0) if told.is_file() else 0

    def resumed_from(self) -> list[Any]:
        runs = [e for e in self.events(EventKind.EVALUATED) if e.run_id != "base"]
        return [e.payload["resumed_from"] for e in runs]


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


def _ended(command: Command) -> tuple[int, float]:
    began = time.monotonic()
    status = command.wait()
    return status, time.monotonic() - began


@pytest.mark.full
def test_sigterm_to_the_group_and_the_process_saves_the_run(sweep: Sweep) -> None:
    sweep.pace(step_s=0.1)
    with sweep.driver() as command:
        command.wait_for(" started")
        time.sleep(1.0)
        group = os.getpgid(command.workers()[0].pid)
        assert group not in (os.getpgid(0), command.pid), "Ray is in the driver's group"
        command.interrupt(signal.SIGTERM)
        command.interrupt(signal.SIGTERM, group=False)
        status, took_s = _ended(command)
        assert command.workers_left(10) == []
    assert status == 128 + signal.SIGTERM, command.text
    assert took_s < AT_MOST_S
    assert "stopped; nothing that finished is lost" in command.text
    last = sweep.events()[-1]
    assert (last.kind, last.message) == (EventKind.CLOSED, "stopped by a signal (SIGTERM)")
    sweep.pace()
    with sweep.driver() as again:
        assert again.wait() == 0, again.text
    assert len(sweep.events(EventKind.FINISHED)) == 2
    assert max(sweep.resumed_from()) > 0, "the run was begun anew"


@pytest.mark.full
def test_sigint_to_the_process_puts_the_shared_stage_down(sweep: Sweep) -> None:
    """The stage takes longer than `silent_s`: its counts are its signs of life."""
    sweep.pace(stage=600)
    with sweep.driver() as command:
        command.wait_for("sampling answers ")
        assert eventually(lambda: sweep.staged() >= 50)  # 5 s and more
        command.interrupt(signal.SIGINT, group=False)
        status, took_s = _ended(command)
        assert command.workers_left(10) == []
    told = sweep.staged()
    assert status == 128 + signal.SIGINT, command.text
    assert took_s < AT_MOST_S
    assert told < 600
    assert [e.kind for e in sweep.events()][-1] is EventKind.CLOSED
    assert sweep.events(EventKind.FAILED, EventKind.CALIBRATED) == []


@pytest.mark.full
def test_sigterm_that_ends_the_head_of_the_cluster_too_closes_the_sweep(sweep: Sweep) -> None:
    sweep.pace(step_s=0.5)
    with small_cluster() as cluster:
        cluster.add(1)
        with sweep.driver("--address", cluster.address) as command:
            command.wait_for(" started")
            command.interrupt(signal.SIGTERM)
            cluster.shutdown()
            status, took_s = _ended(command)
    assert status == 128 + signal.SIGTERM, command.text
    assert took_s < AT_MOST_S
    last = sweep.events()[-1]
    assert (last.kind, last.message) == (EventKind.CLOSED, "stopped by a signal (SIGTERM)")


@pytest.mark.full
def test_a_local_ray_that_lost_its_node_ends_the_command_and_the_next_goes_on(
    sweep: Sweep,
) -> None:
    sweep.pace(stage=600)
    with sweep.driver() as command:
        command.wait_for("sampling answers ")
        (raylet,) = command.raylets()
        raylet.kill()
        status, took_s = _ended(command)
    assert status == 1, command.text
    assert took_s < 60.0
    assert "the local Ray has lost its node" in command.text
    assert "Traceback" not in command.text
    sweep.pace()
    with sweep.driver() as again:
        assert again.wait() == 0, again.text
    assert len(sweep.events(EventKind.FINISHED)) == 2


@pytest.mark.full
def test_a_raylet_killed_as_it_starts_ends_the_command_in_words(sweep: Sweep) -> None:
    with sweep.driver() as command:
        assert eventually(lambda: bool(command.raylets()))
        command.raylets()[0].kill()
        status, _ = _ended(command)
    assert status in (1, 2), command.text  # refused at its start, or lost soon after
    assert "the local Ray " in command.text
    assert "Traceback" not in command.text
    with sweep.driver() as again:
        assert again.wait() == 0, again.text
    assert len(sweep.events(EventKind.FINISHED)) == 2


@pytest.mark.full
def test_a_second_signal_ends_at_once_and_the_sweep_is_closed(sweep: Sweep) -> None:
    sweep.pace(step_s=100.0)  # no step ends: nothing can be saved
    with sweep.driver() as command:
        command.wait_for(" started")
        command.interrupt(signal.SIGTERM)
        time.sleep(3.0)
        command.interrupt(signal.SIGTERM)
        status, took_s = _ended(command)
        assert command.workers_left(10) == []
    assert status == 128 + signal.SIGTERM, command.text
    assert took_s < 12.0
    assert [e.kind for e in sweep.events()][-1] is EventKind.CLOSED
