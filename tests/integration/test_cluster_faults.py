"""What machines and runs do to worker groups on a real Ray, and what becomes of their launches."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from paretoflow.engine.live import GroupPhase, read_live
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.storage import LocalFolder
from tests.integration.test_worker_groups import Sweep, assert_whole
from tests.small_disk import fill, small_disk

pytest.importorskip("ray")
from tests.integration.small_cluster import SmallCluster, eventually

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture
def sweep(tmp_path: Path, cluster: SmallCluster) -> Sweep:
    return Sweep(tmp_path, cluster)


def failures(sweep: Sweep) -> list[Event]:
    return sweep.events(EventKind.FAILED)


def results(sweep: Sweep) -> dict[str, Event]:
    return {e.run_id: e for e in sweep.events(EventKind.EVALUATED) if e.run_id != "base"}


def test_a_run_survives_whatever_its_worker_does(sweep: Sweep, cluster: SmallCluster) -> None:
    """One worker, which dies, stops answering, hangs, raises and runs out of memory in turn."""
    node = cluster.add(1)
    sweep.pace(0.05)
    sweep.order("exit", "freeze", "hang", "notice", "raise", "memory")
    limits = ("engine.limits.heartbeat_s=4", "engine.limits.silent_s=15", "engine.retries=4")
    with sweep.driver("engine.worker_groups=1", "stop.runs=2", *limits) as command:
        assert command.wait() == 0, command.text
    cluster.kill(node)
    assert_whole(sweep, 2)
    told = [(e.boundary, e.payload["cause"], e.message) for e in failures(sweep)]
    expected = [
        ("worker", "died", "the worker died: "),
        ("worker", "died", "does not answer, for longer than engine.limits.heartbeat_s = 4 s"),
        ("worker", "error", "no sign of progress for engine.limits.silent_s = 15 s"),
        ("worker", "lost", "the worker was told to end (SIGTERM): stopped after step 1"),
        ("method", "error", "the method has had enough"),
        ("worker", "out_of_memory", "MemoryError: the method is full (lower method.batch_size"),
    ]
    assert [t[:2] for t in told] == [e[:2] for e in expected]
    assert [e[2] in t[2] for t, e in zip(told, expected, strict=True)] == [True] * 6
    (first, second) = results(sweep).values()
    assert (first.attempt, first.payload["factor"], first.payload["resumed_from"]) == (6, 2, 1)
    assert (second.attempt, second.payload["factor"], second.payload["resumed_from"]) == (0, 1, 0)


@pytest.mark.full
def test_a_worker_whose_disk_is_full_waits_and_its_run_goes_on_once_there_is_space(
    sweep: Sweep, cluster: SmallCluster
) -> None:
    node = cluster.add(2)
    with small_disk(sweep.root / "adapters", 256) as disk:
        ballast = fill(disk)
        with sweep.driver("stop.runs=4", "engine.retries=0", "stop.failures=1") as command:
            command.wait_for(" started")
            assert eventually(lambda: len(failures(sweep)) >= 3)
            assert eventually(lambda: _waits_for_space(sweep))
            ballast.unlink()
            assert command.wait() == 0, command.text
    cluster.kill(node)
    assert_whole(sweep, 4)
    told = {(e.boundary, e.payload["cause"], e.payload["final"]) for e in failures(sweep)}
    assert told == {("store", "outage", False)}
    assert " pending after a failure (store): no space left" in command.text


def _waits_for_space(sweep: Sweep) -> bool:
    live = read_live(LocalFolder(sweep.root))
    return live is not None and any(
        g.phase is GroupPhase.WAITING
        and g.reason.startswith("no space left")
        and "(node " in g.reason
        for g in live.groups
    )


@pytest.mark.full
def test_runs_of_a_lost_node_go_on_elsewhere(sweep: Sweep, cluster: SmallCluster) -> None:
    here = cluster.add(2)
    sweep.pace(2.0)
    with sweep.driver("stop.runs=2", "engine.retries=0") as command:
        assert eventually(lambda: sweep.begun() == 2)
        there = cluster.add(2)
        cluster.kill(here)
        sweep.pace(0.0)
        assert command.wait() == 0, command.text
    cluster.kill(there)
    assert_whole(sweep, 2)
    assert {e.payload["cause"] for e in failures(sweep)} == {"lost"}
    assert {e.message for e in failures(sweep)} == {"the worker's node was lost"}
    assert {e.attempt for e in results(sweep).values()} == {1}


@pytest.mark.full
def test_runs_of_a_node_that_is_to_be_taken_back_are_saved_and_go_on_from_there(
    sweep: Sweep, cluster: SmallCluster
) -> None:
    from ray._raylet import GcsClient
    from ray.core.generated import autoscaler_pb2

    here = cluster.add(2)
    sweep.pace(6.0)  # a minute a run: on a busy machine the notice takes its time
    with sweep.driver("stop.runs=2", "engine.retries=0") as command:
        assert eventually(lambda: sweep.begun() == 2)
        there = cluster.add(2)
        accepted, _ = GcsClient(address=cluster.address).drain_node(
            here.node_id,
            autoscaler_pb2.DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION,
            "spot",
            int(time.time() * 1000) + 60_000,
        )
        assert accepted
        assert eventually(lambda: len(failures(sweep)) == 2)
        sweep.pace(0.0)
        assert command.wait() == 0, command.text
    for node in (here, there):
        cluster.kill(node)
    assert_whole(sweep, 2)
    assert {e.payload["cause"] for e in failures(sweep)} == {"lost"}
    for failure in failures(sweep):
        assert failure.message.startswith("the node is to be taken back: ")
    assert all(e.payload["resumed_from"] > 0 for e in results(sweep).values())


@pytest.mark.full
def test_a_group_that_cannot_load_is_tried_again(sweep: Sweep, cluster: SmallCluster) -> None:
    node = cluster.add(2)
    sweep.pace(6.0)  # a minute a run: on a busy machine the second driver takes its time
    with sweep.driver("engine.worker_groups=1", "stop.runs=2") as first:
        assert eventually(lambda: sweep.begun() == 1)
        sweep.order("load")
        with sweep.driver("engine.worker_groups=2", "stop.runs=3") as second:
            assert eventually(lambda: not list(sweep.root.glob("orders/*")))
            sweep.pace(0.05)
            assert second.wait() == 0, second.text
        first.wait()
    cluster.kill(node)
    assert_whole(sweep, 3)
    assert failures(sweep) == []
