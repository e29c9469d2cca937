"""Execute runs on Ray: gangs that outlive their driver, on a cluster or on this machine alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError

from paretoflow.core.errors import FencedError, ParetoflowError, UserError, WorkerError
from paretoflow.core.values import Problem
from paretoflow.engine.admission import Queue, pause_s, waits_for
from paretoflow.engine.backend import Cause, Failure, Launch, Report
from paretoflow.engine.cluster import draining_nodes, read_nodes, require_room
from paretoflow.engine.faults import failure_of
from paretoflow.engine.gangs import Gang
from paretoflow.engine.live import GangPhase, GangState
from paretoflow.engine.losses import loss_of
from paretoflow.engine.member import Terms
from paretoflow.engine.muster import GangName, Muster
from paretoflow.engine.payloads import problem_from
from paretoflow.engine.ray_start import join, start_local
from paretoflow.engine.workshop import WORKSHOP
from paretoflow.ledger.fragments import read_fragments
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Root, as_folder

SAVE_S = 20.0
"""How long open runs may take to save where they are when the sweep stops."""
STUMBLES = 3
"""Gangs in a row that a slot may lose before they have loaded."""
LOOK_S = 2.0
"""How often the cluster is asked what is free and what is to be taken away."""
STRANGERS_S = 30.0


class RayBackend:
    """See `Backend` for the contract.

    Args:
        root: The sweep's folder.
        address: A running cluster; None starts a local Ray that ends with this process.
        workshop: Import path of what the ranks keep loaded.

    Attributes:
        meanwhile: Called now and then while `prepare` waits.
    """

    def __init__(
        self,
        spec: SweepSpec,
        root: Root,
        address: str | None = None,
        *,
        workshop: str = WORKSHOP,
    ) -> None:
        self._spec = spec
        self._folder = as_folder(root)
        self._joined = not ray.is_initialized()
        self._local = address is None and self._joined
        uri = self._folder.uri
        self._muster = Muster(spec, uri, workshop, outliving=not self._local)
        self.meanwhile: Callable[[], None] = lambda: None
        self._gangs: dict[int, Gang] = {}
        self._names: dict[int, GangName] = {}
        limits, resources = spec.engine.limits, spec.engine.resources
        self._queue = Queue(resources.ranks > 1, limits.wait_s)
        self._stumbles: dict[int, int] = {}
        self._errors: dict[int, ParetoflowError | Failure] = {}
        self._problem: Problem | None = None
        self._lead: Gang | None = None
        self._stash: list[Report] = []
        self._looked_s = self._strangers_s = 0.0
        self._reason = ""
        self._closing = self._closed = False
        alone = spec.engine.launcher == "train" or (resources.ranks, resources.zero) == (1, 0)
        self._terms = Terms(0, limits, _wait_s(spec), alone)
        if self._local:
            start_local(spec.engine, self._muster.namespace)
        elif self._joined:
            assert address is not None
            join(address, self._muster.namespace)

    def adopt(self, epoch: int) -> list[Launch]:
        """Take over the gangs that an earlier driver left, and ask for those that are missing."""
        self._terms = replace(self._terms, epoch=epoch)
        if not self._local:
            for name, gang in self._muster.adopt(self._terms).items():
                self._gangs[gang.slot], self._names[gang.slot] = gang, name
        slots = range(self._spec.engine.workers)
        missing = [slot for slot in slots if slot not in self._gangs]
        if missing and not self._gangs:
            require_room(self._spec.engine.resources)
        for slot in missing:
            self._queue.enter(slot, 0.0)
        self._admit()
        return [gang.launch for gang in self._gangs.values() if gang.launch is not None]

    def prepare(self, problem: Problem | None) -> list[Event]:
        """Let one gang do the shared stage while the others load their libraries."""
        self._problem = problem
        while problem is not None and not self._any_loaded():
            self._wait_to_load()
        while problem is None and not (self._lead and self._lead.calibrated):
            self._wait_to_load()
        self._lead_on()
        events = list(self._lead.calibrated or ()) if self._lead and problem is None else []
        self._problem = problem or _problem_in(events)
        self._hand_over()
        return events

    def _wait_to_load(self) -> None:
        self._lead_on()
        self._stash.extend(self._hear(0.5))
        self.meanwhile()
        error = next(iter(self._errors.values()), None)
        if isinstance(error, UserError) and not self._any_loaded():
            raise error

    def _lead_on(self) -> None:
        """Choose the gang that does the shared stage: one that is at it, or the first placed."""
        alive = [g for g in self._gangs.values() if g.phase is not GangPhase.WAITING]
        at_it = [g for g in alive if g.calibrated or any(m.loading for m in g.members)]
        if self._lead not in alive:
            self._lead = next(iter([*at_it, *alive]), None)
            if self._lead is not None and self._problem is None and not self._lead.calibrated:
                for member in self._lead.members:  # whatever it had loaded, it is to tell of it
                    member.loaded = False
        if self._lead is not None:
            self._lead.load(self._problem)

    def _any_loaded(self) -> bool:
        return any(all(m.loaded for m in g.members) for g in self._gangs.values())

    def now(self) -> float:
        """Return the wall-clock time."""
        return time.time()

    def pause(self, seconds: float) -> None:
        """Wait, and go on listening; what is heard comes with the next `poll`."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._stash.extend(self._hear(min(left_s, 1.0)))

    def free(self) -> int:
        """Return the number of idle gangs that have loaded."""
        return sum(gang.phase is GangPhase.IDLE for gang in self._gangs.values())

    def launch(self, launch: Launch) -> None:
        """Start an attempt on an idle gang."""
        next(g for g in self._gangs.values() if g.phase is GangPhase.IDLE).begin(launch)

    def drop(self, launch: Launch) -> None:
        """Stop an attempt by replacing its gang, unless it is over."""
        for gang in list(self._gangs.values()):
            if gang.launch == launch and not gang.forget():
                self._replace(gang)

    def poll(self, timeout_s: float) -> list[Report]:
        """Wait for news from any gang; keep the gangs well meanwhile."""
        for gang in self._gangs.values():
            for member in gang.members:
                member.acknowledge()
        reports, self._stash = self._stash or self._hear(timeout_s), []
        self._hand_over()
        return reports

    def _hand_over(self) -> None:
        for gang in self._gangs.values():
            for member in gang.members:
                member.hand_over()

    def _hear(self, timeout_s: float) -> list[Report]:
        self._look_around()
        self._admit()
        for gang in self._gangs.values():
            gang.listen()
        answered = _answered([r for g in self._gangs.values() for r in g.awaited()], timeout_s)
        reports: list[Report] = []
        for gang in list(self._gangs.values()):
            run_id = gang.launch.run_id if gang.launch else ""
            try:
                told = gang.take(answered)
            except FencedError:
                raise
            except RayError as error:
                reports.extend(self._lose(gang, loss_of(error, run_id)))
            except ParetoflowError as error:
                reports.extend(self._lose(gang, failure_of(error)))
            else:
                failed = any(report.failure for report in told)
                reports.extend([*told, *self._look_after(gang, failed=failed)])
        return reports

    def _look_after(self, gang: Gang, *, failed: bool) -> list[Report]:
        """Give up a gang that is unwell, let one go that is done, make one load that has not."""
        failure = gang.trouble()
        if failure is not None:
            return self._lose(gang, failure)
        slot = gang.slot
        broken = failed and not self._terms.alone  # its ranks may be out of step
        if gang.error is not None:
            self._stumble(slot, gang.error)
            self._replace(gang)
        elif gang.launch is None and (gang.leaving or broken):
            self._replace(gang)
        elif gang.ready is None:
            self._queue.admitted(slot)
            if gang.phase is GangPhase.IDLE:
                self._stumbles.pop(slot, None)
                self._errors.pop(slot, None)
            elif self._problem is not None:
                gang.load(self._problem)
        return []

    def _lose(self, gang: Gang, failure: Failure) -> list[Report]:
        """Remove a gang; end its attempt with all that it had made durable."""
        if not all(m.loaded for m in gang.members):
            self._stumble(gang.slot, failure)
        if gang.leaving:
            message = f"{gang.leaving}: {failure.message}"
            failure = replace(failure, message=message, cause=Cause.LOST)
        self._replace(gang)
        return [self._lost(gang.launch, failure)] if gang.launch is not None else []

    def _lost(self, launch: Launch, failure: Failure) -> Report:
        events = read_fragments(self._folder, run_id=launch.run_id)
        done = any(event.kind is EventKind.FINISHED for event in events)
        why = None if done else failure
        return Report(launch.run_id, launch.attempt, tuple(events), ended=True, failure=why)

    def _stumble(self, slot: int, error: ParetoflowError | Failure) -> None:
        """Count a gang that never got to work; give up when no slot gets one to work.

        Raises:
            ParetoflowError: Why the last gangs of all slots could not load.
        """
        self._stumbles[slot] = self._stumbles.get(slot, 0) + 1
        self._errors[slot] = error
        hopeless = all(self._stumbles.get(s, 0) >= STUMBLES for s in [slot, *self._gangs])
        if hopeless and not self._any_loaded() and not self._closing:
            if isinstance(error, ParetoflowError):
                raise error
            raise WorkerError(f"no worker gets to work: {error.message}")

    def _replace(self, gang: Gang) -> None:
        """End a gang and put its slot back into the queue."""
        gang.dismiss()
        del self._gangs[gang.slot], self._names[gang.slot]
        self._queue.admitted(gang.slot)
        pause = pause_s(self._stumbles.get(gang.slot, 0))
        self._queue.enter(gang.slot, time.monotonic() + pause)

    def _admit(self) -> None:
        """Let gangs ask for resources whose turn it is, and take back what was asked for too long.

        Nothing new is asked for while the sweep stops.
        """
        now = time.monotonic()
        for slot in [] if self._closing else self._queue.late(now):
            gang = self._gangs.pop(slot)
            del self._names[slot]
            gang.dismiss()
        for slot in [] if self._closing else self._queue.next(now):
            self._names[slot], self._gangs[slot] = self._muster.create(slot, self._terms)

    def _look_around(self) -> None:
        """See what is to be taken away, and remove gangs of drivers that were fenced meanwhile."""
        now = time.monotonic()
        if self._local or now - self._looked_s < LOOK_S:
            return
        self._looked_s, self._reason = now, ""
        draining = draining_nodes()
        for gang in self._gangs.values() if draining else ():
            if gang.nodes & draining.keys():
                gang.leave("the node is to be taken back")
        if now - self._strangers_s > STRANGERS_S:
            self._strangers_s = now
            self._muster.remove_strangers(set(self._names.values()), self._terms.epoch)

    def gangs(self) -> list[GangState]:
        """Return what every gang does now, and what the waiting ones wait for."""
        slots = range(0 if self._closed else self._spec.engine.workers)
        return [self._state(slot) for slot in slots]

    def _state(self, slot: int) -> GangState:
        gang = self._gangs.get(slot)
        if gang is not None and gang.phase is not GangPhase.WAITING:
            return gang.state()
        if slot in self._errors and gang is None:
            error = self._errors[slot]
            words = error.message if isinstance(error, Failure) else str(error)
            return GangState(slot, GangPhase.WAITING, time.time(), reason=f"to try again: {words}")
        if not self._reason:
            whole, free = read_nodes()
            self._reason = waits_for(whole, self._spec.engine.resources, free)
        if gang is None:
            return GangState(slot, GangPhase.WAITING, time.time(), reason=self._reason)
        return replace(gang.state(), reason=self._reason)

    def close(self) -> None:
        """Let runs save where they are, then end all gangs, and the local Ray if there is one."""
        if self._closed:
            return
        self._closing = True
        try:
            self._save_runs()
        except FencedError:
            self.leave()
            return
        except KeyboardInterrupt:
            pass  # asked twice: what is not saved by now is trained again
        self._closed = True
        for gang in self._gangs.values():
            gang.dismiss()
        self._gangs.clear()
        self._disconnect()

    def _save_runs(self) -> None:
        for gang in self._gangs.values():
            if gang.phase is not GangPhase.WAITING:
                gang.leave("the sweep stops")
        until_s = time.monotonic() + SAVE_S
        while any(g.saving for g in self._gangs.values()) and time.monotonic() < until_s:
            self._hear(0.2)

    def leave(self) -> None:
        """Let go of the gangs as they are; a local Ray ends with its driver, so they do too."""
        if self._local and not self._closing:
            self.close()
            return
        self._closed = True
        self._gangs.clear()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._local or self._joined:
            ray.shutdown()


def _wait_s(spec: SweepSpec) -> float:
    """Return how long ranks wait for news: many are asked less often, strict limits more often."""
    limits = spec.engine.limits
    strictest = min(limits.silent_s, limits.heartbeat_s, limits.orphan_s, limits.run_s or 1e9)
    ranks = spec.engine.workers * spec.engine.resources.ranks
    return max(0.25, min(max(2.0, ranks / 50), 10.0, strictest / 4))


def _answered(refs: list[Any], timeout_s: float) -> set[Any]:
    if not refs:
        time.sleep(timeout_s)
        return set()
    ready, _ = ray.wait(refs, num_returns=1, timeout=timeout_s, fetch_local=False)
    if ready:
        ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)
    return set(ready)


def _problem_in(events: list[Event]) -> Problem:
    return next(problem_from(e.payload) for e in events if e.kind is EventKind.CALIBRATED)
