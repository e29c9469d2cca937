"""Create a sweep's worker groups on Ray, and find those that an earlier driver left.

Names carry the sweep, the slot, the driver's epoch, the number of the incarnation and the rank, so
that every driver of the same sweep finds them and no two sweeps clash.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from paretoflow import __version__
from paretoflow.core.errors import FencedError
from paretoflow.core.ids import digest_of
from paretoflow.engine.cluster.admission import demand, fits_one_node
from paretoflow.engine.cluster.nodes import groups_named, read_nodes
from paretoflow.engine.ray.worker_actor import Worker, WorkerConfig, WorkerLocation
from paretoflow.engine.ray.worker_group import WorkerGroup
from paretoflow.engine.ray.worker_handle import CALLS, GroupOptions, WorkerHandle, got
from paretoflow.engine.runtime.mailbox import PollReply
from paretoflow.engine.runtime.protocols import parallel_of
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage.folder import place_of

ANSWER_S = 10.0
"""How long worker groups may take to answer a driver that is new to them."""
_CALL_THREADS = 8


@dataclass(frozen=True, order=True)
class WorkerGroupName:
    """Which worker group of a sweep: a slot, who put it there as the how manieth, and what it is.

    Args:
        kind: Digest of its resources, launcher, executor and code: it is taken over by its like.
    """

    epoch: int
    number: int
    slot: int
    kind: str

    def __str__(self) -> str:
        return f"slot{self.slot}-driver{self.epoch}-{self.number}-{self.kind}"

    @classmethod
    def of(cls, text: str) -> WorkerGroupName:
        """Read a name back."""
        slot, epoch, number, kind = text.split("-")
        first, second = int(epoch.removeprefix("driver")), int(slot.removeprefix("slot"))
        return cls(first, int(number), second, kind)


@dataclass(frozen=True)
class FoundGroup:
    """A group found on the cluster: its actors by rank, and its placement group if it is there."""

    name: WorkerGroupName
    actors: dict[int, Any]
    placement: Any

    def remove(self) -> None:
        """End it and give its resources back."""
        for actor in self.actors.values():
            ray.kill(actor, no_restart=True)
        if self.placement is not None:
            ray.util.remove_placement_group(self.placement)


def namespace_of(uri: str, name: str) -> str:
    """Return the Ray namespace of a sweep: one for each place and name."""
    return f"paretoflow-{digest_of(place_of(uri))[:12]}-{name}"


class WorkerGroupFactory:
    """Creates and finds the worker groups of one sweep.

    Args:
        uri: The sweep's folder.
        executor: Import path of what a rank keeps loaded.
        outliving: Whether worker groups outlive the driver that asked for them.
        generation: Worker groups of another are not taken over: they loaded other inputs.
    """

    def __init__(
        self, spec: SweepSpec, uri: str, executor: str, *, outliving: bool, generation: int = 0
    ) -> None:
        self._spec = spec
        self._plain = spec.model_dump(mode="json")
        self._uri = uri
        self._executor = executor
        self._numbers = 0
        self._lifetime = {"lifetime": "detached"} if outliving else {}
        self.namespace = namespace_of(uri, spec.name)
        resources = spec.engine.resources
        engine = self._plain["engine"]
        code = [engine["resources"], engine["launcher"], executor, __version__]
        code += [generation] if generation else []
        self._kind = digest_of(code)[:8]
        self._supervised = spec.engine.launcher == "train"
        self._actors_per_group = 1 if self._supervised else resources.ranks
        self._threads = max(1, int(resources.cpus_per_rank))
        threads = str(self._threads)
        self._actor_class = ray.remote(
            num_cpus=0 if self._supervised else resources.cpus_per_rank,
            num_gpus=0 if self._supervised else resources.gpus_per_rank,
            max_restarts=0,
            namespace=self.namespace,
            concurrency_groups={CALLS: _CALL_THREADS},
            runtime_env={
                "env_vars": {"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}
            },
            **self._lifetime,
        )(Worker)

    def create(self, slot: int, options: GroupOptions) -> tuple[WorkerGroupName, WorkerGroup]:
        """Ask Ray for a worker group; it starts when its placement group is placed.

        Actors and group are asked for together: whoever dies in between leaves nothing that holds
        resources for ever, since ranks give them back when they become orphans.
        """
        self._numbers += 1
        name = WorkerGroupName(options.epoch, self._numbers, slot, self._kind)
        placement = None if self._supervised else self._place(name)
        ranks = range(self._actors_per_group)
        workers = [
            WorkerHandle(self._start(name, rank, placement, options), options) for rank in ranks
        ]
        group = WorkerGroup(
            slot, workers, placement, ready=placement.ready() if placement else None
        )
        group.ask_locations()
        return name, group

    def _place(self, name: WorkerGroupName) -> Any:
        resources = self._spec.engine.resources
        nodes, _ = read_nodes()
        return ray.util.placement_group(
            [demand(resources)] * resources.ranks,
            strategy="STRICT_PACK" if fits_one_node(nodes, resources) else "PACK",
            name=self._group_name(name),
            bundle_label_selector=[resources.labels] * resources.ranks,
            **self._lifetime,
        )

    def _start(
        self, name: WorkerGroupName, rank: int, placement: Any, options: GroupOptions
    ) -> Any:
        parallel = parallel_of(self._spec.engine, rank)
        config = WorkerConfig(
            self._plain, self._uri, self._executor, self._threads, parallel, options.epoch
        )
        place: Any = "SPREAD"
        if placement is not None:
            place = PlacementGroupSchedulingStrategy(placement, placement_group_bundle_index=rank)
        return self._actor_class.options(name=f"{name}-{rank}", scheduling_strategy=place).remote(
            config
        )

    def _group_name(self, name: WorkerGroupName) -> str:
        return f"{self.namespace}/{name}"

    def found_groups(self) -> list[FoundGroup]:
        """Return all worker groups of the sweep that are on the cluster, newest first."""
        actors: dict[WorkerGroupName, dict[int, Any]] = defaultdict(dict)
        for row in ray.util.list_named_actors(all_namespaces=True):
            if row["namespace"] == self.namespace:
                group, _, rank = row["name"].rpartition("-")
                try:
                    actor = ray.get_actor(row["name"], self.namespace)
                except ValueError:  # it ended between the list and the look
                    continue
                actors[WorkerGroupName.of(group)][int(rank)] = actor
        prefix = f"{self.namespace}/"
        placements = groups_named(prefix)
        found = {
            WorkerGroupName.of(key.removeprefix(prefix)): placement
            for key, placement in placements.items()
        }
        names = sorted({*actors, *found}, reverse=True)
        return [FoundGroup(name, actors.get(name, {}), found.get(name)) for name in names]

    def adopt(self, options: GroupOptions) -> dict[WorkerGroupName, WorkerGroup]:
        """Take over the groups of an earlier driver; remove what is broken, double or too much.

        Raises:
            FencedError: If a newer driver has one of them.
        """
        found = self.found_groups()
        asked = {s.name: _ask(s, options) for s in found if self._is_whole(s)}
        refs = [ref for group in asked.values() for pair in group.values() for ref in pair]
        if refs:
            ray.wait(refs, num_returns=len(refs), timeout=min(ANSWER_S, options.limits.heartbeat_s))
        told = {name: _told(pairs) for name, pairs in asked.items()}
        adopted: dict[WorkerGroupName, WorkerGroup] = {}
        slots: set[int] = set()
        for found_group in found:
            group = self._adopted(found_group, told.get(found_group.name), options)
            if group is None or group.slot in slots:
                found_group.remove()
            else:
                adopted[found_group.name] = group
                slots.add(group.slot)
        return adopted

    def _is_whole(self, found_group: FoundGroup) -> bool:
        actors = set(range(self._actors_per_group))
        return (
            (found_group.placement is not None or self._supervised)
            and found_group.name.kind == self._kind
            and actors == set(found_group.actors)
            and found_group.name.slot < self._spec.engine.worker_groups
        )

    def _adopted(
        self,
        found_group: FoundGroup,
        told: list[tuple[PollReply, WorkerLocation]] | None,
        options: GroupOptions,
    ) -> WorkerGroup | None:
        if told is None:
            return None
        workers = [WorkerHandle(actor, options) for _, actor in sorted(found_group.actors.items())]
        group = WorkerGroup(found_group.name.slot, workers, found_group.placement)
        if not group.adopt(told):
            return None
        if not group.leaving:
            group.ask_locations()
        return group

    def remove_unknown(self, own: set[WorkerGroupName], epoch: int) -> None:
        """Remove worker groups that an older driver asked for while this one took over.

        Raises:
            FencedError: If there are worker groups of a newer driver.
        """
        for found_group in self.found_groups():
            if found_group.name.epoch > epoch:
                raise FencedError(
                    f"a newer driver (epoch {found_group.name.epoch}) has taken over this sweep",
                    f"driver epoch {epoch}",
                )
            if found_group.name not in own:
                found_group.remove()


def _ask(found_group: FoundGroup, options: GroupOptions) -> dict[int, tuple[Any, Any]]:
    """Offer each rank the new epoch; return Ray's handles of what it is at, and where it is."""
    return {
        rank: (
            WorkerHandle(actor, options).call(wait=False),
            actor.location.options(concurrency_group=CALLS).remote(),
        )
        for rank, actor in found_group.actors.items()
    }


def _told(asked: dict[int, tuple[Any, Any]]) -> list[tuple[PollReply, WorkerLocation]] | None:
    """Return what the ranks told, in order; None if one of them did not answer in time.

    Raises:
        FencedError: If a newer driver has the worker group.
    """
    told = []
    for _, pair in sorted(asked.items()):
        if len(ray.wait(list(pair), num_returns=2, timeout=0)[0]) < 2:
            return None
        try:
            reply, place = (got(ref) for ref in pair)
        except RayError:
            return None
        told.append((reply, place))
    return told
