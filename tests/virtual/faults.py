"""What befalls a virtual cluster beyond what befalls an attempt: network, processes, nodes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from paretoflow.engine.simulation.fault_model import FullDisk
from tests.virtual.troubles import AttemptFaults


@dataclass(frozen=True)
class ClusterFaults:
    """What goes wrong until the cluster calms down.

    Args:
        attempt: What befalls attempts: death, memory, hanging, stragglers, full disks.
        calm_s: Virtual time from which on nothing goes wrong any more.
        late_s: Mean time that a message takes.
        very_late: Of a message: probability that it takes a hundred times as long.
        lose_call: Of a call: probability that it does not arrive, and the caller hears so.
        lose_reply: Of a call: probability that it arrives, and the caller hears that it may not.
        swallow: Of a call: probability that nobody ever hears of it again.
        fail_start: Of a worker: probability that its process dies before it answers.
        fail_load: Of loading: probability that it ends in an error.
        start_s: Mean time until a placed process answers, and of loading.
        dies: Of an attempt that crashes: probability that its process dies of it.
        slow_kill: Of a process that is to be killed: probability that it is out of reach for a
            while, as one that hangs in the kernel is.
        tidy_s: Mean time between the last message of an attempt and its end.
        every_s: Mean time between two blows against processes and nodes; 0 for none.
        keep_s: Mean time that a node which is gone stays away, and a partition lasts.
        notice_s: Time between the notice that a node goes and its end.
    """

    attempt: AttemptFaults = field(default_factory=AttemptFaults)
    calm_s: float = 0.0
    late_s: float = 0.002
    very_late: float = 0.0
    lose_call: float = 0.0
    lose_reply: float = 0.0
    swallow: float = 0.0
    fail_start: float = 0.0
    fail_load: float = 0.0
    start_s: float = 1.0
    dies: float = 0.65
    slow_kill: float = 0.0
    tidy_s: float = 0.0
    every_s: float = 0.0
    keep_s: float = 10.0
    notice_s: float = 10.0


CALM = ClusterFaults()


def drawn_attempt_faults(rng: np.random.Generator) -> AttemptFaults:
    """Return what befalls one sweep's attempts: some kinds of trouble are absent."""
    crash, straggle, oom, hang, delay = rng.random(5) * rng.integers(0, 2, 5)
    return AttemptFaults(
        crash=0.3 * crash,
        straggle=0.3 * straggle,
        out_of_memory=0.3 * oom,
        hang=0.2 * hang,
        delay=0.6 * delay,
        delay_s=float(rng.choice([1.0, 4.0, 12.0])),
        full_disks=drawn_disks(rng),
    )


def drawn_disks(rng: np.random.Generator) -> tuple[FullDisk, ...]:
    """Return when disks of one sweep are full; of every other sweep none is."""
    disks = []
    for _ in range(int(rng.integers(0, 2) * rng.integers(1, 4))):
        start_s, slot = float(rng.uniform(0.0, 100.0)), int(rng.integers(-1, 4))
        for_s = float(rng.exponential(30.0))
        disks.append(FullDisk(start_s, start_s + for_s, None if slot < 0 else slot))
    return tuple(disks)


def drawn_faults(rng: np.random.Generator) -> ClusterFaults:
    """Return what befalls one sweep's cluster: some kinds of trouble are absent."""
    attempt = drawn_attempt_faults(rng)
    late, call, reply, swallow, start, load, kill = rng.random(7) * rng.integers(0, 2, 7)
    return ClusterFaults(
        attempt=attempt,
        calm_s=300.0,
        late_s=float(rng.choice([0.001, 0.05, 0.5])),
        very_late=0.02 * late,
        lose_call=0.01 * call,
        lose_reply=0.01 * reply,
        swallow=0.003 * swallow,
        fail_start=0.2 * start,
        fail_load=0.2 * load,
        start_s=float(rng.choice([0.2, 1.0])),
        slow_kill=kill,
        tidy_s=float(rng.choice([0.0, 1.0])),
        every_s=float(rng.choice([0.0, 10.0, 30.0])),
        keep_s=float(rng.choice([2.0, 30.0])),
        notice_s=4.0,
    )
