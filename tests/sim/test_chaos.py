"""Sweeps under fire, and each commit and call of a few sweeps under fire one by one.

Pool, groups, workers and mailboxes are the ones that run on Ray, on a cluster in virtual time
(`tests/virtual`). `make test-full` runs a thousand sweeps of the first kind, `make test` fifty.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from paretoflow.core.errors import LedgerError
from paretoflow.core.ids import rng_of
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.messages import Report
from paretoflow.ledger.tables import Event, EventKind
from tests.sim import kinds
from tests.sim.chaos import (
    PROPOSERS,
    ChaosLedger,
    QuickCircle,
    World,
    check,
    drawn_spec,
    run_world,
)
from tests.sim.fates import Blow, DrawnFate, OneBlow
from tests.sim.oracles import NoisyOracle
from tests.sim.specs import circle_spec
from tests.virtual.faults import CALM, drawn_faults
from tests.virtual.troubles import AttemptFaults

CHUNK = 50
QUICK = (0,)
OTHERS = [pytest.param(first, marks=pytest.mark.full) for first in range(50, 1000, CHUNK)]
FAULTS = (
    "crash", "out_of_memory", "hang", "full disk", "kill_one", "cut_one_off", "lose_one",
    "drain_one", "swallow", "lose_call", "lose_reply", "very_late", "fail_start", "fail_load",
    "slow_kill",
)  # fmt: skip


@pytest.mark.parametrize("first", [*QUICK, *OTHERS])
def test_under_fire_nothing_is_lost_nothing_is_doubled_and_every_sweep_ends(first: int) -> None:
    endings: Counter[str] = Counter()
    befell: Counter[str] = Counter()
    absences = 0
    for seed in range(first, first + CHUNK):
        world = run_world(seed)
        endings.update(world.endings)
        befell.update(world.cluster.befell)
        absences += world.absences
    # the fire was real: drivers of this chunk died in every way there is, and workers too
    assert endings["killed"] > CHUNK
    assert endings["fenced"] > CHUNK / 4
    assert min(endings["stopped"], endings["gave up"]) > 0
    assert absences > 0
    assert min(befell[fault] for fault in FAULTS) > 0, befell


def test_what_stopped_early_under_fire_is_made_again_until_every_run_has_ended() -> None:
    endings: Counter[str] = Counter()
    for seed in range(12):
        rng = rng_of("early", seed)
        plain = drawn_spec(rng, seed).model_dump()
        spec = circle_spec(
            **{
                **plain,
                "stop": {**plain["stop"], "failures": 2},
                "engine": {**plain["engine"], "retries": 0},
            }
        )
        faults = drawn_faults(rng)
        faults = replace(faults, attempt=replace(faults.attempt, crash=0.8), dies=0.0)
        world = World(spec, faults, DrawnFate(rng), rng)
        world.run()
        check(world)
        endings.update(world.endings)
    assert endings["stopped early"] > 3


def test_second_looks_under_fire_are_counted_once_and_move_the_front() -> None:
    looks = twice = 0
    proposer = {"type": "reevaluate", "of": "dirichlet", "share": 0.5}
    for seed in range(6):
        rng = rng_of("looks", seed)
        spec = drawn_spec(rng, seed)
        spec = circle_spec(**{**spec.model_dump(), "proposer": proposer, "stop": {"runs": 12}})
        # workers hang, are given up, and come back
        faults = replace(drawn_faults(rng), attempt=AttemptFaults(hang=0.5))
        faults = replace(faults, every_s=10.0, keep_s=60.0, slow_kill=1.0)
        world = World(spec, faults, DrawnFate(rng), rng, oracle_class=NoisyOracle)
        world.run()
        check(world)
        rows = [e for e in world.store.events if e.kind is EventKind.EVALUATED]
        again = Counter(e.run_id for e in rows if not e.snapshot_id.startswith(e.run_id))
        looks += len(again)
        twice += sum(again.values()) - len(again)
    assert looks > 20
    assert twice > 0  # some attempts were given up, and reported late


def _world(fate: OneBlow, **changes: Any) -> World:
    spec = circle_spec(**{"stop": {"runs": 6}, "engine": {"worker_groups": 2}} | changes)
    return World(spec, CALM, fate, rng_of("one blow"), oracle_class=QuickCircle)


@pytest.mark.parametrize("blow", [None, *(pytest.param(b, marks=pytest.mark.full) for b in Blow)])
def test_a_blow_at_any_single_commit(blow: Blow | None) -> None:
    """Each commit of a sweep is hit once; without a given blow every third, the kinds in turn."""
    quiet = _world(counted := OneBlow(None, 0))
    quiet.run()
    check(quiet)
    chances = counted.chances
    assert chances > 40
    for at in range(0, chances, 1 if blow else 3):
        world = _world(OneBlow(blow or list(Blow)[at % len(Blow)], at))
        world.run()
        check(world)


@pytest.mark.parametrize("tag", PROPOSERS)
def test_up_to_the_kill_one_worker_is_sent_the_launches_of_an_undisturbed_sweep(tag: str) -> None:
    small = {"proposer": {"type": tag}, "engine": {"worker_groups": 1}}
    quiet = _world(counted := OneBlow(None, 0), **small)
    quiet.live()
    wanted = quiet.launched
    cuts = set()
    for at in range(0, counted.chances, 2):
        world = _world(OneBlow(Blow.KILL, at), **small)
        world.live()
        cuts.add(world.launched_by[0])
        assert world.launched[: world.launched_by[0]] == wanted[: world.launched_by[0]]
    assert cuts == set(range(len(wanted) + 1))


class Forgetful(ChaosLedger):
    """Takes every row as new."""

    def _land(self, events: Sequence[Event]) -> list[Event]:
        self._check_owner()
        start, store = len(self._store.events), self._store
        added = [replace(e, seq=start + i, epoch=self.epoch) for i, e in enumerate(events)]
        store.events.extend(added)
        store.ids.update(e.event_id for e in added)
        return added


class Unfenced(ChaosLedger):
    """Lets an older driver write on."""

    def _check_owner(self) -> None:
        pass


class Leaky(ChaosLedger):
    """Acknowledges results, and loses every fifth."""

    def append(self, events: Sequence[Event]) -> list[Event]:
        lost = [e for e in events if e.kind is EventKind.EVALUATED and e.run_id[4] in "27"]
        kept = super().append([e for e in events if e not in lost])
        acknowledged = [replace(e, seq=self._store.events[-1].seq, epoch=self.epoch) for e in lost]
        self.acknowledged += acknowledged
        return kept + acknowledged


class Gullible(Driver):
    """Writes down whatever is reported, of runs that are over too."""

    def _countable(self, told):  # type: ignore[no-untyped-def]
        return list(told)


class Confused(Driver):
    """Takes the end of any attempt for the end of the present one."""

    def _is_running(self, report: Report) -> bool:
        return self.state.is_open(report.run_id)


class Deaf(Driver):
    """Looks at no fragment."""

    def _enter(self) -> None:
        self._hooks = replace(self._hooks, recover=lambda: ())
        super()._enter()


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        ({"ledger_class": Forgetful}, "is there twice"),
        ({"ledger_class": Unfenced}, "row landed after a newer one's"),
        ({"ledger_class": Leaky}, "acknowledged, but lost"),
        ({"driver_class": Deaf}, "measured, but lost"),
    ],
)
def test_what_would_lose_or_double_something_is_caught(instead: dict[str, Any], words: str) -> None:
    verdicts = (_verdict(seed, instead) for seed in range(200))
    caught = next((what for what in verdicts if re.search(words, what)), "")
    assert "run_world(" in caught, "not caught, or the seed that repeats it is not named"


@pytest.mark.parametrize(
    ("kind", "driver_class", "words"),
    [
        (kinds.late_results, Gullible, "cannot go from failed to finished"),
        (kinds.late_ends, Confused, "one attempt too many|, but attempt"),
    ],
)
def test_a_driver_that_believes_late_reports_is_caught(
    kind: Callable[[int], World], driver_class: type[Driver], words: str
) -> None:
    worlds = [kind(seed) for seed in range(50)]
    for world in worlds:
        world.driver_class = driver_class
    with pytest.raises((AssertionError, LedgerError), match=words):
        kinds.end_all_well(worlds)


def _verdict(seed: int, instead: dict[str, Any]) -> str:
    try:
        run_world(seed, **instead)
    except AssertionError as error:
        return str(error)
    return ""


def test_a_seed_repeats_its_world_exactly() -> None:
    for seed in range(2):
        first, second = run_world(seed), run_world(seed)
        assert first.store.events == second.store.events
        assert first.endings == second.endings


def test_fates_differ_in_what_they_spare() -> None:
    dealt = []
    for seed in range(30):
        fate = DrawnFate(rng_of("fate", seed))
        dealt.append(frozenset(fate.next() for _ in range(2000)) - {None})
    assert len(set(dealt)) > 10
    assert frozenset(Blow) == frozenset().union(*dealt)
