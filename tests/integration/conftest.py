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
