"""A backend on Ray: on a cluster, where groups outlive their driver, or on this machine alone."""

from __future__ import annotations

from collections.abc import Callable

from paretoflow.core.errors import DamagedError
from paretoflow.engine.groups.backend import GroupBackend
from paretoflow.engine.groups.discovery import WorkerGroupFactory
from paretoflow.engine.ray.transport import RayTransport
from paretoflow.engine.runtime.protocols import EXECUTOR
from paretoflow.ledger.fragments import read_fragments
from paretoflow.ledger.tables import Event
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Root, as_folder


class RayBackend(GroupBackend):
    """Worker groups on Ray.

    Args:
        root: The sweep's folder.
        address: A running cluster; None starts a local Ray that ends with this process.
        executor: Import path of the workers' executor.
        generation: Number of accepted changes of inputs that scores depend on; worker groups that
            loaded before the latest change are not taken over.

    Raises:
        ClusterError: If the cluster cannot be joined.
    """

    def __init__(
        self,
        spec: SweepSpec,
        root: Root,
        address: str | None = None,
        *,
        executor: str = EXECUTOR,
        generation: int = 0,
    ) -> None:
        folder = as_folder(root)
        transport = RayTransport(spec, folder.uri, address)
        factory = WorkerGroupFactory(spec, folder.uri, executor, transport, generation=generation)

        def fragments(run_id: str, damaged: Callable[[DamagedError], None]) -> list[Event]:
            return read_fragments(folder, run_id=run_id, damaged=damaged)

        super().__init__(spec, transport, factory, fragments)
