"""Create a sweep's worker groups, and find those that an earlier driver left.

Names contain the sweep, the slot, the driver's epoch, the number of the incarnation and the rank.
So every driver of the same sweep finds them, and no two sweeps clash.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from paretoflow import __version__
from paretoflow.core.errors import FencedError
from paretoflow.core.ids import digest_of
from paretoflow.engine.cluster.admission import fits_one_node
from paretoflow.engine.groups.transport import Actor, CallError, Placement, Reply, Transport
from paretoflow.engine.groups.worker import WorkerConfig, WorkerLocation
from paretoflow.engine.groups.worker_group import WorkerGroup
from paretoflow.engine.groups.worker_handle import GroupOptions, WorkerHandle
from paretoflow.engine.runtime.poll import PollReply
from paretoflow.engine.runtime.protocols import parallel_of
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage.folder import place_of

ANSWER_S = 10.0
"""Longest time for worker groups to answer a new driver, in seconds."""


@dataclass(frozen=True, order=True)
class WorkerGroupName:
    """Identifies a group by slot, driver epoch, incarnation and configuration digest.

    Args:
        kind: Digest of its resources, launcher, executor and code: a driver adopts only groups with
            the same digest.
    """

    epoch: int
    number: int
    slot: int
    kind: str

    def __str__(self) -> str:
        return f"slot{self.slot}-driver{self.epoch}-{self.number}-{self.kind}"

    @classmethod
    def of(cls, text: str) -> WorkerGroupName:
        """Parse a name."""
        slot, epoch, number, kind = text.split("-")
        first, second = int(epoch.removeprefix("driver")), int(slot.removeprefix("slot"))
        return cls(first, int(number), second, kind)


@dataclass(frozen=True)
class FoundGroup:
    """A group found on the cluster: its actors by rank, and its placement if it exists."""

    name: WorkerGroupName
    actors: dict[int, Actor]
    placement: Placement | None


def namespace_of(uri: str, name: str) -> str:
    """Return the namespace of a sweep on a cluster: one for each place and name."""
    return f"paretoflow-{digest_of(place_of(uri))[:12]}-{name}"


class WorkerGroupFactory:
    """Creates and finds the worker groups of one sweep.

    Args:
        uri: The sweep's folder.
        executor: Import path of the executor that a worker keeps loaded.
        generation: Number of accepted changes of inputs. Groups of another generation are not taken
            over, as they loaded other inputs.
    """

    def __init__(
        self,
        spec: SweepSpec,
        uri: str,
        executor: str,
        transport: Transport,
        *,
        generation: int = 0,
    ) -> None:
        self._spec = spec
        self._plain = spec.model_dump(mode="json")
        self._uri = uri
        self._executor = executor
        self._transport = transport
        self._numbers = 0
        engine = self._plain["engine"]
        code = [engine["resources"], engine["launcher"], executor, __version__]
        code += [generation] if generation else []
        self.kind = digest_of(code)[:8]
        self._supervised = spec.engine.launcher == "train"
        self._actors_per_group = 1 if self._supervised else spec.engine.resources.ranks

    def create(self, slot: int, options: GroupOptions) -> tuple[WorkerGroupName, WorkerGroup]:
        """Request a worker group; it starts when its resources are available.

        Actors and resources are requested together. A driver that dies in between leaves nothing
        that holds resources forever, since workers release them when they become orphans.
        """
        self._numbers += 1
        name = WorkerGroupName(options.epoch, self._numbers, slot, self.kind)
        placement = None if self._supervised else self._place(name)
        ranks = range(self._actors_per_group)
        workers = [
            WorkerHandle(self._start(name, rank, placement, options), options) for rank in ranks
        ]
        ready = None if placement is None else self._transport.placed(placement)
        group = WorkerGroup(slot, workers, placement, ready=ready)
        group.ask_locations()
        return name, group

    def _place(self, name: WorkerGroupName) -> Placement:
        whole, _ = self._transport.nodes()
        fits = fits_one_node(whole, self._spec.engine.resources)
        return self._transport.place(str(name), one_node=fits)

    def _start(
        self, name: WorkerGroupName, rank: int, placement: Placement, options: GroupOptions
    ) -> Actor:
        parallel = parallel_of(self._spec.engine, rank)
        config = WorkerConfig(
            self._plain,
            self._uri,
            self._executor,
            threads_of(self._spec),
            parallel,
            options.epoch,
        )
        return self._transport.start(f"{name}-{rank}", config, placement)

    def found_groups(self) -> list[FoundGroup]:
        """Return all worker groups of the sweep that are on the cluster, newest first."""
        named, placements = self._transport.found()
        actors: dict[WorkerGroupName, dict[int, Actor]] = defaultdict(dict)
        for key, actor in named.items():
            group, _, rank = key.rpartition("-")
            actors[WorkerGroupName.of(group)][int(rank)] = actor
        found = {WorkerGroupName.of(key): placement for key, placement in placements.items()}
        names = sorted({*actors, *found}, reverse=True)
        return [FoundGroup(name, actors.get(name, {}), found.get(name)) for name in names]

    def _remove(self, found_group: FoundGroup) -> None:
        """End a group and release its resources, in the order of `WorkerGroup.dismiss`."""
        if found_group.placement is not None:
            self._transport.remove(found_group.placement)
        for actor in found_group.actors.values():
            self._transport.kill(actor)

    def adopt(self, options: GroupOptions) -> dict[WorkerGroupName, WorkerGroup]:
        """Take over the groups of an earlier driver; remove broken, duplicate and surplus groups.

        Raises:
            FencedError: If a newer driver owns one of them.
        """
        found = self.found_groups()
        asked = {s.name: _ask(s, options) for s in found if self._is_whole(s)}
        replies = [reply for group in asked.values() for pair in group.values() for reply in pair]
        there: set[Reply] = set()
        if replies:
            timeout_s = min(ANSWER_S, options.limits.heartbeat_s)
            there = self._transport.wait_for_all(replies, timeout_s)
        told = {name: self._told(pairs, there) for name, pairs in asked.items()}
        adopted: dict[WorkerGroupName, WorkerGroup] = {}
        slots: set[int] = set()
        for found_group in found:
            group = self._adopted(found_group, told.get(found_group.name), options)
            if group is None or group.slot in slots:
                self._remove(found_group)
            else:
                adopted[found_group.name] = group
                slots.add(group.slot)
        return adopted

    def _told(
        self, asked: dict[int, tuple[Reply, Reply]], there: set[Reply]
    ) -> list[tuple[PollReply, WorkerLocation]] | None:
        """Return the workers' answers, in order; None if one of them did not answer in time.

        Raises:
            FencedError: If a newer driver owns the worker group.
        """
        told = []
        for _, pair in sorted(asked.items()):
            if not there.issuperset(pair):
                return None
            try:
                reply, place = (self._transport.result(each) for each in pair)
            except CallError:
                return None
            told.append((reply, place))
        return told

    def _is_whole(self, found_group: FoundGroup) -> bool:
        actors = set(range(self._actors_per_group))
        return (
            (found_group.placement is not None or self._supervised)
            and found_group.name.kind == self.kind
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
        """Remove worker groups that an older driver requested while this one took over.

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
                self._remove(found_group)


def _ask(found_group: FoundGroup, options: GroupOptions) -> dict[int, tuple[Reply, Reply]]:
    """Send each worker the new epoch; request its state and its location."""
    return {
        rank: (
            WorkerHandle(actor, options).call(wait=False),
            options.transport.call(actor, "location"),
        )
        for rank, actor in found_group.actors.items()
    }


def threads_of(spec: SweepSpec) -> int:
    """Return the number of CPU threads of a worker."""
    return max(1, int(spec.engine.resources.cpus_per_rank))
