"""Kinds of worlds in which much of one thing goes wrong, and little else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from paretoflow.core.ids import rng_of
from tests.sim.chaos import World, check, world_of
from tests.sim.fates import AimedFate, Blow
from tests.sim.specs import circle_spec
from tests.virtual.faults import ClusterFaults
from tests.virtual.troubles import AttemptFaults

LIMITS = {"silent_s": 12.0, "heartbeat_s": 8.0, "orphan_s": 40.0}
FAILING = AttemptFaults(crash=0.6)
"""Attempts that fail, on workers that live on."""


def _world(seed: int, fate: dict[str, Any], faults: ClusterFaults, **changes: Any) -> World:
    rng = rng_of("kind", seed)
    engine = {"worker_groups": 2, "limits": LIMITS, **changes.pop("engine", {})}
    stop = {"runs": 5, **changes.pop("stop", {})}
    spec = circle_spec(seed=seed, engine=engine, stop=stop, **changes)
    return World(spec, faults, AimedFate(rng, **fate), rng)


def drawn(seed: int) -> World:
    """Return a world in which anything may go wrong."""
    return world_of(seed)


def rivals(seed: int) -> World:
    """Second drivers come while the first one asks for worker groups."""
    fate = {"kills": {"wait": 0.03}, "rivals": {"place": 0.4, "start": 0.4, "begin": 0.1}}
    return _world(seed, fate, ClusterFaults(start_s=0.2, calm_s=300.0))


def outages(seed: int) -> World:
    """Drivers die while they wait for storage with failures that are not recorded."""
    fate = {"commits": {Blow.OUTAGE: 0.1}, "kills": {"away": 0.05}}
    return _world(seed, fate, ClusterFaults(FAILING, calm_s=300.0, dies=0.0))


def two_ranks(seed: int) -> World:
    """Drivers die between the ends of the two ranks of an attempt."""
    fate = {"kills": {"wait": 0.05, "begin": 0.05}}
    faults = ClusterFaults(FAILING, calm_s=300.0, dies=0.0, tidy_s=2.0)
    world = _world(seed, fate, faults, engine={"resources": {"ranks": 2}, "retries": 5})
    world.workers_answer = True
    return world


def late_results(seed: int) -> World:
    """Hung workers are given up, cannot be killed, and finish their run."""
    faults = ClusterFaults(
        AttemptFaults(hang=0.7), calm_s=1e4, slow_kill=1.0, keep_s=60.0, tidy_s=1.0
    )
    return _world(seed, {}, faults, engine={"retries": 0}, stop={"failures": 5})


def late_ends(seed: int) -> World:
    """Paused runs go on elsewhere before their first worker has told its end."""
    rungs = {"reduction": 2, "first": 1}
    faults = ClusterFaults(tidy_s=10.0, calm_s=1e4)
    engine = {"worker_groups": 3}
    return _world(seed, {}, faults, engine=engine, stop={"runs": 12, "rungs": rungs})


def absences(seed: int) -> World:
    """Drivers die, and the next one comes when all workers have gone."""
    faults = ClusterFaults(AttemptFaults(straggle=0.5, straggle_factor=20.0), calm_s=1e4)
    return _world(seed, {"kills": {"wait": 0.03}}, faults)


def end_all_well(worlds: Iterable[World]) -> None:
    """Run worlds to their ends, and check each.

    Raises:
        AssertionError: If anything was lost, doubled or left undone.
    """
    for world in worlds:
        world.run()
        check(world)
