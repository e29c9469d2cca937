from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest

from paretoflow.core.errors import FencedError
from paretoflow.engine.runtime.protocols import WORKSHOP
from tests.sim.specs import circle_spec

pytestmark = pytest.mark.ray
pytest.importorskip("ray")
muster = importlib.import_module("paretoflow.engine.ray.discovery")


def test_a_name_says_which_gang_it_is_and_can_be_read_back() -> None:
    name = muster.GangName(epoch=4, number=2, slot=11, kind="ab12cd34")
    assert str(name) == "slot11-driver4-2-ab12cd34"
    assert muster.GangName.of(str(name)) == name


def test_sweeps_at_different_places_or_of_different_names_have_nothing_in_common() -> None:
    places = {muster.namespace_of(uri, "s") for uri in ("/a/s", "/b/s", "s3://a/s")}
    assert len(places) == 3
    assert muster.namespace_of("/a/s", "s") == muster.namespace_of("/a/s", "s")
    assert muster.namespace_of("/a/s", "s").endswith("-s")


class FoundMuster(muster.Muster):  # type: ignore[misc]
    """A muster that finds what a test says."""

    found: list[Any]

    def sightings(self) -> list[Any]:
        return self.found


def sighting(made: Any, removed: list[Any], **changes: Any) -> Any:
    facts = {"epoch": 1, "number": 1, "slot": 0, "kind": made._kind} | changes
    name = muster.GangName(**facts)
    return SimpleNamespace(
        name=name, actors={0: "actor"}, group="group", remove=lambda: removed.append(name)
    )


def of(**engine: Any) -> Any:
    spec = circle_spec(engine=engine)
    return FoundMuster(spec, "/a/s", WORKSHOP, outliving=True)


def test_gangs_are_taken_over_by_their_like_only() -> None:
    kinds = [
        of(),
        of(resources={"cpus_per_rank": 2}),
        of(launcher="train"),
        FoundMuster(circle_spec(), "/a/s", "other:Workshop", outliving=True),
    ]
    assert len({made._kind for made in kinds}) == 4
    assert of()._kind == of(workers=9, retries=3)._kind
    made = of()
    assert made._is_whole(sighting(made, []))
    assert not made._is_whole(sighting(made, [], kind="other"))
    assert not made._is_whole(sighting(made, [], slot=2))
    assert not of(resources={"ranks": 2})._is_whole(sighting(made, []))


def test_gangs_of_a_driver_that_was_fenced_meanwhile_are_removed() -> None:
    made, removed = of(), []
    own = sighting(made, removed, epoch=2)
    stranger = sighting(made, removed, epoch=1, number=7)
    made.found = [own, stranger]
    made.remove_strangers({own.name}, epoch=2)
    assert removed == [stranger.name]


def test_gangs_of_a_newer_driver_tell_that_there_is_one() -> None:
    made, removed = of(), []
    made.found = [sighting(made, removed, epoch=3)]
    with pytest.raises(FencedError, match=r"a newer driver \(epoch 3\)"):
        made.remove_strangers(set(), epoch=2)
    assert removed == []
