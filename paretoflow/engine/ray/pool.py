"""Which gang is in which slot: who asks for resources, who is replaced, and who waits for what."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from paretoflow.core.errors import ParetoflowError, WorkerError
from paretoflow.engine.cluster.admission import Queue, pause_s, waits_for
from paretoflow.engine.cluster.nodes import draining_nodes, read_nodes, require_room
from paretoflow.engine.live import GangPhase, GangState
from paretoflow.engine.messages import Failure
from paretoflow.engine.ray.discovery import GangName, Muster
from paretoflow.engine.ray.worker_group import Gang
from paretoflow.engine.ray.worker_handle import Terms
from paretoflow.spec.engine import EngineSpec

STUMBLES = 3
"""Gangs in a row that a slot may lose before they have loaded."""
LOOK_S = 2.0
"""How often the cluster is asked what is free and what is to be taken away."""
STRANGERS_S = 30.0
"""How often gangs are looked for that a driver before asked for while this one took over."""


class Roster:
    """The gangs of a driver by slot.

    Args:
        alone: Whether this process has the Ray to itself: nothing is found there or taken away.

    Attributes:
        closing: Whether the sweep stops: no gang is asked for any more.
    """

    def __init__(self, engine: EngineSpec, muster: Muster, *, alone: bool) -> None:
        self._engine = engine
        self._muster = muster
        self._alone = alone
        self._gangs: dict[int, Gang] = {}
        self._names: dict[int, GangName] = {}
        self._queue = Queue(engine.resources.ranks > 1, engine.limits.wait_s)
        self._stumbles: dict[int, int] = {}
        self._errors: dict[int, ParetoflowError | Failure] = {}
        self._looked_s = self._strangers_s = 0.0
        self._reason = ""
        self.closing = False

    def __iter__(self) -> Iterator[Gang]:
        """Iterate over the gangs that there are; they may be replaced meanwhile."""
        return iter(list(self._gangs.values()))

    @property
    def loaded(self) -> bool:
        """Return whether any gang has loaded."""
        return any(all(m.loaded for m in g.members) for g in self)

    @property
    def error(self) -> ParetoflowError | Failure | None:
        """Return why a slot's last gang never got to work; None if all did."""
        return next(iter(self._errors.values()), None)

    def fill(self, terms: Terms) -> None:
        """Take over the gangs that an earlier driver left, and have the missing ones asked for.

        Raises:
            ClusterError: If there are none, and the cluster holds none.
            FencedError: If a newer driver has them.
        """
        self._terms = terms
        for name, gang in ({} if self._alone else self._muster.adopt(terms)).items():
            self._gangs[gang.slot], self._names[gang.slot] = gang, name
        if not self._gangs:
            require_room(self._engine.resources)
        for slot in range(self._engine.worker_groups):
            if slot not in self._gangs:
                self._queue.enter(slot, 0.0)
        self.admit()

    def admit(self) -> None:
        """Let gangs ask for resources whose turn it is; take back what was asked for too long."""
        if self.closing:
            return
        now = time.monotonic()
        for slot in self._queue.late(now):
            self._gangs.pop(slot).dismiss()
            del self._names[slot]
        for slot in self._queue.next(now):
            self._names[slot], self._gangs[slot] = self._muster.create(slot, self._terms)

    def placed(self, gang: Gang) -> None:
        """Note that a gang has its resources, and whether it has got to work."""
        self._queue.admitted(gang.slot)
        if gang.phase in (GangPhase.IDLE, GangPhase.BUSY):
            self._stumbles.pop(gang.slot, None)
            self._errors.pop(gang.slot, None)

    def replace(self, gang: Gang) -> None:
        """End a gang and put its slot back into the queue; after stumbling it rests first."""
        gang.dismiss()
        del self._gangs[gang.slot], self._names[gang.slot]
        self._queue.admitted(gang.slot)
        pause = pause_s(self._stumbles.get(gang.slot, 0))
        self._queue.enter(gang.slot, time.monotonic() + pause)

    def stumble(self, slot: int, error: ParetoflowError | Failure) -> None:
        """Count a gang that never got to work.

        Raises:
            ParetoflowError: Why the last gangs could not, once that is so in all slots.
        """
        self._stumbles[slot] = self._stumbles.get(slot, 0) + 1
        self._errors[slot] = error
        hopeless = all(self._stumbles.get(s, 0) >= STUMBLES for s in [slot, *self._gangs])
        if hopeless and not self.loaded and not self.closing:
            if isinstance(error, ParetoflowError):
                raise error
            raise WorkerError(f"no worker gets to work: {error.message}")

    def look_around(self) -> None:
        """See now and then which nodes are to be taken away, and who else asks for gangs.

        Raises:
            FencedError: If a newer driver does.
            WorkerError: If the local Ray has lost its only node: no other comes.
        """
        now = time.monotonic()
        if now - self._looked_s < LOOK_S:
            return
        self._looked_s, self._reason = now, ""
        if self._alone:
            if not read_nodes()[0]:
                raise WorkerError(
                    "the local Ray has lost its node: its raylet was killed, perhaps for want of "
                    "memory; the same command starts another and goes on"
                )
            return
        draining = draining_nodes()
        for gang in self if draining else ():
            if gang.nodes & draining.keys():
                gang.leave("the node is to be taken back")
        if now - self._strangers_s > STRANGERS_S:
            self._strangers_s = now
            self._muster.remove_strangers(set(self._names.values()), self._terms.epoch)

    def states(self) -> list[GangState]:
        """Return what every gang does, and what the ones that wait are waiting for."""
        return [self._state(slot) for slot in range(self._engine.worker_groups)]

    def _state(self, slot: int) -> GangState:
        gang = self._gangs.get(slot)
        if gang is not None and gang.phase is not GangPhase.WAITING:
            return gang.state()
        if gang is None and slot in self._errors:
            error = self._errors[slot]
            words = error.message if isinstance(error, Failure) else str(error)
            return GangState(slot, GangPhase.WAITING, time.time(), reason=f"to try again: {words}")
        if not self._reason:
            whole, free = read_nodes()
            self._reason = waits_for(whole, self._engine.resources, free)
        if gang is None:
            return GangState(slot, GangPhase.WAITING, time.time(), reason=self._reason)
        return replace(gang.state(), reason=self._reason)

    def dismiss(self) -> None:
        """End all gangs."""
        for gang in self:
            gang.dismiss()
        self.forget()

    def forget(self) -> None:
        """Let go of all gangs as they are."""
        self._gangs.clear()
        self._names.clear()
