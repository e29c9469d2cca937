"""Runs under Ray Train v2: their supervisor outlives the driver, and they with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from paretoflow.ledger.tables import EventKind
from tests.integration.test_worker_groups import Sweep, assert_whole

pytest.importorskip("ray.train")
from tests.integration.small_cluster import SmallCluster, eventually, small_cluster

pytestmark = [pytest.mark.ray, pytest.mark.train, pytest.mark.slow]


@pytest.fixture
def cluster() -> Iterator[SmallCluster]:
    with small_cluster() as started:
        started.add(2)
        yield started


@pytest.mark.full
def test_a_run_under_ray_train_outlives_its_driver_and_a_failure_is_told_by_its_boundary(
    tmp_path: Path, cluster: SmallCluster
) -> None:
    sweep = Sweep(tmp_path, cluster)
    sweep.pace(0.5)
    settings = ("engine.launcher=train", "engine.worker_groups=1", "stop.runs=1")
    with sweep.driver(*settings) as first:
        assert eventually(lambda: bool(list(sweep.root.glob("adapters/*/a0/pid"))), 120)
        first.kill()
    sweep.order("raise")
    with sweep.driver(*settings) as second:
        assert second.wait() == 0, second.text
    assert_whole(sweep, 1)
    assert [e.attempt for e in sweep.events(EventKind.STARTED)] == [0, 1]
    (failure,) = sweep.events(EventKind.FAILED)
    assert (failure.attempt, failure.boundary) == (0, "method")
    assert "the method has had enough" in failure.message
    assert len(sweep.events(EventKind.ADOPTED)) == 1
