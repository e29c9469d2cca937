"""Groups that outlive their drivers, on a real Ray of two nodes; what they train costs nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from paretoflow.engine.live import GroupPhase, read_live
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.storage import LocalFolder
from tests.integration.command import Command

pytest.importorskip("ray")
from tests.integration.small_cluster import (
    SmallCluster,
    eventually,
    free_cpus,
    ranks_of,
)

pytestmark = [pytest.mark.ray, pytest.mark.slow]
REPOSITORY = Path(__file__).parents[2]
OBJECTIVE = {
    "type": "regex",
    "pattern": "x",
    "direction": "maximize",
    "range": [0, 1],
    "ref": -0.1,
}


@pytest.fixture(scope="module", autouse=True)
def node(cluster: SmallCluster) -> Iterator[None]:
    """Two CPUs for all tests here."""
    node = cluster.add(2)
    yield
    cluster.kill(node)


class Sweep:
    """A job on disk, the commands that drive it, and what its ledger says."""

    def __init__(self, home: Path, cluster: SmallCluster, **changes: object) -> None:
        plain = {
            "name": "gangs",
            "objectives": [{"name": name, **OBJECTIVE} for name in ("left", "right")],
            "method": {"type": "dpo", "steps": 10},
            "proposer": {"type": "lattice"},
            "stop": {"runs": 6},
            # remains of a failed test make room for the next test
            "engine": {"worker_groups": 2, "limits": {"orphan_s": 120}},
            "storage": str(home),
        }
        self._cluster = cluster
        self.root = home / "gangs"
        self.root.mkdir()
        self._job = home / "job.yaml"
        self._job.write_text(yaml.safe_dump(plain | changes))

    def pace(self, step_s: float) -> None:
        (self.root / "pace.json").write_text(json.dumps({"step_s": step_s}))

    def order(self, *faults: str) -> None:
        (self.root / "orders").mkdir(exist_ok=True)
        for fault in faults:
            (self.root / "orders" / fault).touch()

    @contextmanager
    def driver(self, *changes: str) -> Iterator[Command]:
        sets = [word for change in changes for word in ("--set", change)]
        words = ["run", str(self._job), "--address", self._cluster.address, *sets]
        command = Command(words, REPOSITORY, "tests.integration.cheap_driver")
        try:
            yield command
        finally:
            command.end()

    def events(self, *kinds: EventKind) -> list[Event]:
        found = open_ledger(self.root, writer=False).events()
        return [e for e in found if e.kind in kinds or not kinds]

    def pids(self) -> set[int]:
        runs = [e for e in self.events(EventKind.EVALUATED) if e.run_id != "base"]
        return {e.payload["pid"] for e in runs}

    def begun(self) -> int:
        """Return how many attempts a worker group has begun to train."""
        return len(list(self.root.glob("adapters/*/a*")))

    def fragments(self) -> int:
        return len(list(self.root.glob("fragments/*/*.arrow")))


@pytest.fixture
def sweep(tmp_path: Path, cluster: SmallCluster) -> Sweep:
    return Sweep(tmp_path, cluster)


def assert_whole(sweep: Sweep, runs: int) -> None:
    """Every run finished once, nothing is in the ledger twice, and no later row is of an older
    driver."""
    events = sweep.events()
    assert [e.seq for e in events] == list(range(len(events)))
    assert len({e.event_id for e in events}) == len(events)
    finished = Counter(e.run_id for e in events if e.kind is EventKind.FINISHED)
    proposed = [e.run_id for e in events if e.kind is EventKind.PROPOSED]
    assert len(proposed) == runs
    assert finished == Counter(proposed)
    epochs = [e.epoch for e in events]
    assert epochs == sorted(epochs)


def test_groups_outlive_a_killed_driver_and_the_next_one_finds_them_at_work(sweep: Sweep) -> None:
    sweep.pace(0.5)
    with sweep.driver() as first:
        first.wait_for(" finished in ")
        assert eventually(lambda: sweep.begun() >= 4)  # both worker groups are at their second run
        started = len(sweep.events(EventKind.STARTED))
        first.kill()
    before = sweep.fragments()
    assert eventually(lambda: sweep.fragments() >= before + 1)
    with sweep.driver() as second:
        assert second.wait() == 0, second.text
    assert "done: all 6 runs are launched" in second.text
    assert_whole(sweep, 6)
    assert len(sweep.pids()) == 2  # the same two processes from beginning to end
    assert sweep.events(EventKind.FAILED) == []
    attempts = Counter(e.run_id for e in sweep.events(EventKind.STARTED))
    assert set(attempts.values()) == {1}
    assert len(attempts) >= started


@pytest.mark.full
def test_of_two_drivers_the_newer_wins_and_nothing_of_the_older_lands_later(sweep: Sweep) -> None:
    """Both ask for three worker groups where two fit: the third says what it waits for."""
    sweep.pace(0.8)
    with sweep.driver("engine.worker_groups=3") as older:
        older.wait_for(" finished in ")
        live = read_live(LocalFolder(sweep.root))
        with sweep.driver("engine.worker_groups=3") as newer:
            assert older.wait() == 1
            sweep.pace(0.0)
            assert newer.wait() == 0, newer.text
    assert live is not None
    waiting = [g.reason for g in live.groups if g.phase is GroupPhase.WAITING]
    assert waiting == ["waits for 1 bundle of {CPU: 1}: 0 of 2 CPUs free on 2 nodes"]
    assert "newer driver" in older.text
    assert "Traceback" not in older.text
    assert_whole(sweep, 6)
    assert len(sweep.pids()) == 2
    assert sweep.events(EventKind.FAILED) == []


@pytest.mark.full
def test_orphans_save_their_runs_and_give_their_resources_back(
    sweep: Sweep, cluster: SmallCluster
) -> None:
    sweep.pace(0.5)
    with cluster.joined(), sweep.driver("engine.limits.orphan_s=2", "stop.runs=2") as first:
        assert eventually(lambda: sweep.begun() == 2)
        assert len(ranks_of(sweep.root)) == 2
        first.kill()
        assert eventually(lambda: ranks_of(sweep.root) == [])
        assert eventually(lambda: free_cpus() == 2.0)
    assert len(list(sweep.root.glob("adapters/*/a0/checkpoint-*/paretoflow_state.json"))) == 2
    sweep.pace(0.0)
    with sweep.driver("stop.runs=2") as second:
        assert second.wait() == 0, second.text
    assert_whole(sweep, 2)
    results = [e for e in sweep.events(EventKind.EVALUATED) if e.run_id != "base"]
    assert all(e.payload["resumed_from"] > 0 for e in results)
    assert not list(sweep.root.glob("adapters/*/*/checkpoint-*"))


@pytest.mark.full
def test_ctrl_c_saves_what_is_in_training_and_the_next_command_goes_on_from_there(
    sweep: Sweep, cluster: SmallCluster
) -> None:
    sweep.pace(0.5)
    with sweep.driver("stop.runs=2") as first:
        assert eventually(lambda: sweep.begun() == 2)
        first.interrupt()
        assert first.wait() == 130
    assert "Continue with: paretoflow run" in first.text
    with cluster.joined():
        assert ranks_of(sweep.root) == []
        assert eventually(lambda: free_cpus() == 2.0)
    sweep.pace(0.0)
    with sweep.driver("stop.runs=2") as second:
        assert second.wait() == 0, second.text
    assert_whole(sweep, 2)
    results = [e for e in sweep.events(EventKind.EVALUATED) if e.run_id != "base"]
    assert all(e.payload["resumed_from"] > 0 for e in results)


@pytest.mark.full
def test_a_driver_killed_while_its_groups_load_leaves_nothing_behind(
    sweep: Sweep, cluster: SmallCluster
) -> None:
    with cluster.joined(), sweep.driver("engine.limits.orphan_s=2") as command:
        assert eventually(lambda: len(ranks_of(sweep.root)) == 2)
        command.kill()
        assert eventually(lambda: ranks_of(sweep.root) == [] and free_cpus() == 2.0)
