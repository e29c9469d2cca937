"""Create a sweep's gangs on Ray, and find those that an earlier driver left.

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
from paretoflow.engine.ray.worker_actor import Posting, Rank, Whereabouts
from paretoflow.engine.ray.worker_group import Gang
from paretoflow.engine.ray.worker_handle import CALLS, Member, Terms, got
from paretoflow.engine.runtime.mailbox import Heard
from paretoflow.engine.runtime.protocols import parallel_of
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage.folder import place_of

ANSWER_S = 10.0
"""How long gangs may take to answer a driver that is new to them."""
_CALL_THREADS = 8


@dataclass(frozen=True, order=True)
class GangName:
    """Which gang of a sweep: a slot, who put it there as the how manieth, and what it is.

    Args:
        kind: Digest of its resources, launcher, workshop and code: it is taken over by its like.
    """

    epoch: int
    number: int
    slot: int
    kind: str

    def __str__(self) -> str:
        return f"slot{self.slot}-driver{self.epoch}-{self.number}-{self.kind}"

    @classmethod
    def of(cls, text: str) -> GangName:
        """Read a name back."""
        slot, epoch, number, kind = text.split("-")
        first, second = int(epoch.removeprefix("driver")), int(slot.removeprefix("slot"))
        return cls(first, int(number), second, kind)


@dataclass(frozen=True)
class Sighting:
    """A gang found on the cluster: its actors by rank, and its placement group if it is there."""

    name: GangName
    actors: dict[int, Any]
    group: Any

    def remove(self) -> None:
        """End it and give its resources back."""
        for actor in self.actors.values():
            ray.kill(actor, no_restart=True)
        if self.group is not None:
            ray.util.remove_placement_group(self.group)


def namespace_of(uri: str, name: str) -> str:
    """Return the Ray namespace of a sweep: one for each place and name."""
    return f"paretoflow-{digest_of(place_of(uri))[:12]}-{name}"


class Muster:
    """Creates and finds the gangs of one sweep.

    Args:
        uri: The sweep's folder.
        workshop: Import path of what a rank keeps loaded.
        outliving: Whether gangs outlive the driver that asked for them.
        generation: Gangs of another are not taken over: they loaded other inputs.
    """

    def __init__(
        self, spec: SweepSpec, uri: str, workshop: str, *, outliving: bool, generation: int = 0
    ) -> None:
        self._spec = spec
        self._plain = spec.model_dump(mode="json")
        self._uri = uri
        self._workshop = workshop
        self._numbers = 0
        self._lifetime = {"lifetime": "detached"} if outliving else {}
        self.namespace = namespace_of(uri, spec.name)
        resources = spec.engine.resources
        engine = self._plain["engine"]
        code = [engine["resources"], engine["launcher"], workshop, __version__]
        code += [generation] if generation else []
        self._kind = digest_of(code)[:8]
        self._supervised = spec.engine.launcher == "train"
        self._actors_per_gang = 1 if self._supervised else resources.ranks
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
        )(Rank)

    def create(self, slot: int, terms: Terms) -> tuple[GangName, Gang]:
        """Ask Ray for a gang; it starts when its placement group is placed.

        Actors and group are asked for together: whoever dies in between leaves nothing that holds
        resources for ever, since ranks give them back when they become orphans.
        """
        self._numbers += 1
        name = GangName(terms.epoch, self._numbers, slot, self._kind)
        group = None if self._supervised else self._place(name)
        ranks = range(self._actors_per_gang)
        members = [Member(self._start(name, rank, group, terms), terms) for rank in ranks]
        gang = Gang(slot, members, group, ready=group.ready() if group else None)
        gang.introduce()
        return name, gang

    def _place(self, name: GangName) -> Any:
        resources = self._spec.engine.resources
        nodes, _ = read_nodes()
        return ray.util.placement_group(
            [demand(resources)] * resources.ranks,
            strategy="STRICT_PACK" if fits_one_node(nodes, resources) else "PACK",
            name=self._group_name(name),
            bundle_label_selector=[resources.labels] * resources.ranks,
            **self._lifetime,
        )

    def _start(self, name: GangName, rank: int, group: Any, terms: Terms) -> Any:
        parallel = parallel_of(self._spec.engine, rank)
        posting = Posting(
            self._plain, self._uri, self._workshop, self._threads, parallel, terms.epoch
        )
        place: Any = "SPREAD"
        if group is not None:
            place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank)
        return self._actor_class.options(name=f"{name}-{rank}", scheduling_strategy=place).remote(
            posting
        )

    def _group_name(self, name: GangName) -> str:
        return f"{self.namespace}/{name}"

    def sightings(self) -> list[Sighting]:
        """Return all gangs of the sweep that are on the cluster, newest first."""
        actors: dict[GangName, dict[int, Any]] = defaultdict(dict)
        for row in ray.util.list_named_actors(all_namespaces=True):
            if row["namespace"] == self.namespace:
                gang, _, rank = row["name"].rpartition("-")
                try:
                    actor = ray.get_actor(row["name"], self.namespace)
                except ValueError:  # it ended between the list and the look
                    continue
                actors[GangName.of(gang)][int(rank)] = actor
        prefix = f"{self.namespace}/"
        groups = groups_named(prefix)
        found = {GangName.of(key.removeprefix(prefix)): group for key, group in groups.items()}
        names = sorted({*actors, *found}, reverse=True)
        return [Sighting(name, actors.get(name, {}), found.get(name)) for name in names]

    def adopt(self, terms: Terms) -> dict[GangName, Gang]:
        """Take over the gangs of an earlier driver; remove what is broken, double or too much.

        Raises:
            FencedError: If a newer driver has one of them.
        """
        found = self.sightings()
        asked = {s.name: _ask(s, terms) for s in found if self._is_whole(s)}
        refs = [ref for gang in asked.values() for pair in gang.values() for ref in pair]
        if refs:
            ray.wait(refs, num_returns=len(refs), timeout=min(ANSWER_S, terms.limits.heartbeat_s))
        told = {name: _told(pairs) for name, pairs in asked.items()}
        adopted: dict[GangName, Gang] = {}
        slots: set[int] = set()
        for sighting in found:
            gang = self._adopted(sighting, told.get(sighting.name), terms)
            if gang is None or gang.slot in slots:
                sighting.remove()
            else:
                adopted[sighting.name] = gang
                slots.add(gang.slot)
        return adopted

    def _is_whole(self, sighting: Sighting) -> bool:
        actors = set(range(self._actors_per_gang))
        return (
            (sighting.group is not None or self._supervised)
            and sighting.name.kind == self._kind
            and actors == set(sighting.actors)
            and sighting.name.slot < self._spec.engine.worker_groups
        )

    def _adopted(
        self, sighting: Sighting, told: list[tuple[Heard, Whereabouts]] | None, terms: Terms
    ) -> Gang | None:
        if told is None:
            return None
        members = [Member(actor, terms) for _, actor in sorted(sighting.actors.items())]
        gang = Gang(sighting.name.slot, members, sighting.group)
        if not gang.adopt(told):
            return None
        if not gang.leaving:
            gang.introduce()
        return gang

    def remove_strangers(self, own: set[GangName], epoch: int) -> None:
        """Remove gangs that an older driver asked for while this one took over.

        Raises:
            FencedError: If there are gangs of a newer driver.
        """
        for sighting in self.sightings():
            if sighting.name.epoch > epoch:
                raise FencedError(
                    f"a newer driver (epoch {sighting.name.epoch}) has taken over this sweep",
                    f"driver epoch {epoch}",
                )
            if sighting.name not in own:
                sighting.remove()


def _ask(sighting: Sighting, terms: Terms) -> dict[int, tuple[Any, Any]]:
    """Offer each rank the new epoch; return Ray's handles of what it is at, and where it is."""
    return {
        rank: (
            Member(actor, terms).call(wait=False),
            actor.whereabouts.options(concurrency_group=CALLS).remote(),
        )
        for rank, actor in sighting.actors.items()
    }


def _told(asked: dict[int, tuple[Any, Any]]) -> list[tuple[Heard, Whereabouts]] | None:
    """Return what the ranks told, in order; None if one of them did not answer in time.

    Raises:
        FencedError: If a newer driver has the gang.
    """
    told = []
    for _, pair in sorted(asked.items()):
        if len(ray.wait(list(pair), num_returns=2, timeout=0)[0]) < 2:
            return None
        try:
            heard, place = (got(ref) for ref in pair)
        except RayError:
            return None
        told.append((heard, place))
    return told
