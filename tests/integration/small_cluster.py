"""A Ray cluster of several nodes on this machine, with ports and folders of its own."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from paretoflow.engine.groups.discovery import namespace_of
from paretoflow.storage import LocalFolder

STORE_BYTES = 80 * 2**20


class SmallCluster:
    """A head without resources, and nodes that come and go."""

    def __init__(self, temporary: str) -> None:
        from ray._common.utils import get_default_ray_temp_dir
        from ray.cluster_utils import Cluster

        # it also writes an address into the folder that is used by default, and does not make it
        Path(get_default_ray_temp_dir()).mkdir(parents=True, exist_ok=True)
        self.nodes: list[Any] = []
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "object_store_memory": STORE_BYTES,
                "include_dashboard": False,
                "temp_dir": temporary,
                "_system_config": {
                    "health_check_initial_delay_ms": 500,
                    "health_check_period_ms": 500,
                    # a killed raylet refuses at once; a starved one only takes its time
                    "health_check_timeout_ms": 20_000,
                    "health_check_failure_threshold": 3,
                },
            },
        )

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self, cpus: int, **labels: str) -> Any:
        """Start a node and wait for it."""
        node = self._cluster.add_node(num_cpus=cpus, object_store_memory=STORE_BYTES, labels=labels)
        self.nodes.append(node)
        return node

    def kill(self, node: Any) -> None:
        """Take a node away without notice."""
        self.nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    def shutdown(self) -> None:
        self._cluster.shutdown()

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Connect this process, to look at the cluster from inside."""
        ray.init(address=self.address, log_to_driver=False, logging_level="ERROR")
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def small_cluster() -> Iterator[SmallCluster]:
    temporary = tempfile.mkdtemp(prefix="pf-")  # a socket's path must be short
    cluster = SmallCluster(temporary)
    try:
        yield cluster
    finally:
        cluster.shutdown()
        shutil.rmtree(temporary, ignore_errors=True)


def ranks_of(root: Path) -> list[str]:
    """Return the names of a sweep's rank actors; this process must have joined."""
    namespace = namespace_of(LocalFolder(root).uri, root.name)
    rows = ray.util.list_named_actors(all_namespaces=True)
    return sorted(row["name"] for row in rows if row["namespace"] == namespace)


def free_cpus() -> float:
    """Return how many CPUs of the cluster nobody holds."""
    return float(ray.available_resources().get("CPU", 0.0))


def eventually(condition: Callable[[], bool], patience_s: float = 120.0) -> bool:
    """Return whether a condition comes true within a while."""
    until_s = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.1)
    return True
