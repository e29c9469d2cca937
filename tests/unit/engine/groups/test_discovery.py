"""Worker groups found on a cluster: who takes over which."""

from __future__ import annotations

from typing import Any

import pytest

from paretoflow.engine.groups.discovery import (
    WorkerGroupFactory,
    WorkerGroupName,
    namespace_of,
)
from paretoflow.engine.groups.worker_handle import GroupOptions
from paretoflow.engine.runtime.protocols import EXECUTOR
from tests.faults import raises
from tests.sim.specs import circle_spec
from tests.unit.engine.groups.by_hand import HandTransport


def test_a_name_says_which_group_it_is_and_can_be_read_back() -> None:
    name = WorkerGroupName(epoch=4, number=2, slot=11, kind="ab12cd34")
    assert str(name) == "slot11-driver4-2-ab12cd34"
    assert WorkerGroupName.of(str(name)) == name


def test_sweeps_at_different_places_or_of_different_names_have_nothing_in_common() -> None:
    places = {namespace_of(uri, "s") for uri in ("/a/s", "/b/s", "s3://a/s")}
    assert len(places) == 3
    assert namespace_of("/a/s", "s") == namespace_of("/a/s", "s")
    assert namespace_of("/a/s", "s").endswith("-s")


@pytest.fixture
def at() -> HandTransport:
    return HandTransport()


def factory_of(
    at: HandTransport, executor: str = EXECUTOR, generation: int = 0, **engine: Any
) -> WorkerGroupFactory:
    return WorkerGroupFactory(
        circle_spec(engine=engine), "/a/s", executor, at, generation=generation
    )


def options_of(at: HandTransport, epoch: int) -> GroupOptions:
    return GroupOptions(at, epoch, circle_spec().engine.limits, 0.0, alone=True)


def left(at: HandTransport, made: WorkerGroupFactory, *slots: int) -> None:
    """Let a first driver ask for worker groups and be gone."""
    for slot in slots:
        made.create(slot, options_of(at, 1))


def adopted(at: HandTransport, **changes: Any) -> list[int]:
    """Return the slots that a second driver takes over; all else must be gone then."""
    found = factory_of(at, **changes).adopt(options_of(at, 2))
    assert set(at.placements) == {str(name) for name in found}
    return sorted(group.slot for group in found.values())


def test_groups_are_taken_over_by_their_like_only(at: HandTransport) -> None:
    others: list[dict[str, Any]] = [
        {"resources": {"cpus_per_rank": 2}},
        {"resources": {"ranks": 2}},
        {"executor": "other:Executor"},
        {"generation": 1},
    ]
    for changes in others:
        left(at, factory_of(at), 0, 1)
        assert adopted(at, **changes) == [], changes
    left(at, factory_of(at), 0, 1)
    assert adopted(at, workers=9, retries=3) == [0, 1]


def test_groups_that_nobody_asks_for_any_more_are_removed(at: HandTransport) -> None:
    left(at, factory_of(at), 0, 1, 2)
    assert adopted(at, workers=2) == [0, 1]


def test_a_group_of_which_a_worker_or_the_placement_is_gone_is_removed(at: HandTransport) -> None:
    made = factory_of(at, resources={"ranks": 2})
    left(at, made, 0, 1, 2)
    del at.workers[next(name for name in at.workers if name.startswith("slot0"))]
    at.placements = {k: p for k, p in at.placements.items() if not k.startswith("slot1")}
    assert adopted(at, resources={"ranks": 2}, workers=3) == [2]


def test_of_two_groups_for_one_slot_the_newest_is_taken_over(at: HandTransport) -> None:
    made = factory_of(at)
    left(at, made, 0, 0)
    newest = list(at.workers.values())[-1]
    assert adopted(at) == [0]
    assert list(at.workers.values()) == [newest]


def test_groups_of_a_driver_that_was_fenced_meanwhile_are_removed(at: HandTransport) -> None:
    made = factory_of(at)
    own, _ = made.create(0, options_of(at, 2))
    left(at, made, 1)
    made.remove_unknown({own}, epoch=2)
    assert list(at.placements) == [str(own)]


def test_groups_of_a_newer_driver_tell_that_there_is_one(at: HandTransport) -> None:
    made = factory_of(at)
    made.create(0, options_of(at, 3))
    with raises("fenced", "3)", "driver"):
        made.remove_unknown(set(), epoch=2)
    assert len(at.workers) == 1
