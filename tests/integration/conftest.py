"""One Ray cluster for all tests that add nodes to it and take them away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.small_cluster import SmallCluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[SmallCluster]:
    """Return a head without CPUs; a test that adds a node kills it again."""
    pytest.importorskip("ray")
    from tests.integration.small_cluster import small_cluster

    with small_cluster() as started:
        yield started


@pytest.fixture(autouse=True)
def _nodes_of_a_failed_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Take away the nodes that a test added and did not come to kill."""
    if "cluster" not in request.fixturenames:
        yield
        return
    shared: SmallCluster = request.getfixturevalue("cluster")
    before = list(shared.nodes)
    yield
    for node in [n for n in shared.nodes if n not in before]:
        shared.kill(node)
