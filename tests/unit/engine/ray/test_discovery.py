from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest

from paretoflow.core.errors import FencedError
from paretoflow.engine.runtime.protocols import EXECUTOR
from tests.sim.specs import circle_spec

pytestmark = pytest.mark.ray
pytest.importorskip("ray")
factory = importlib.import_module("paretoflow.engine.ray.discovery")


def test_a_name_says_which_gang_it_is_and_can_be_read_back() -> None:
    name = factory.WorkerGroupName(epoch=4, number=2, slot=11, kind="ab12cd34")
    assert str(name) == "slot11-driver4-2-ab12cd34"
    assert factory.WorkerGroupName.of(str(name)) == name


def test_sweeps_at_different_places_or_of_different_names_have_nothing_in_common() -> None:
    places = {factory.namespace_of(uri, "s") for uri in ("/a/s", "/b/s", "s3://a/s")}
    assert len(places) == 3
    assert factory.namespace_of("/a/s", "s") == factory.namespace_of("/a/s", "s")
    assert factory.namespace_of("/a/s", "s").endswith("-s")


class FoundFactory(factory.WorkerGroupFactory):  # type: ignore[misc]
    """A factory that finds what a test says."""

    found: list[Any]

    def found_groups(self) -> list[Any]:
        return self.found


def found_group(made: Any, removed: list[Any], **changes: Any) -> Any:
    facts = {"epoch": 1, "number": 1, "slot": 0, "kind": made._kind} | changes
    name = factory.WorkerGroupName(**facts)
    return SimpleNamespace(
        name=name, actors={0: "actor"}, placement="group", remove=lambda: removed.append(name)
    )


def of(**engine: Any) -> Any:
    spec = circle_spec(engine=engine)
    return FoundFactory(spec, "/a/s", EXECUTOR, outliving=True)


def test_gangs_are_taken_over_by_their_like_only() -> None:
    kinds = [
        of(),
        of(resources={"cpus_per_rank": 2}),
        of(launcher="train"),
        FoundFactory(circle_spec(), "/a/s", "other:Executor", outliving=True),
    ]
    assert len({made._kind for made in kinds}) == 4
    assert of()._kind == of(workers=9, retries=3)._kind
    made = of()
    assert made._is_whole(found_group(made, []))
    assert not made._is_whole(found_group(made, [], kind="other"))
    assert not made._is_whole(found_group(made, [], slot=2))
    assert not of(resources={"ranks": 2})._is_whole(found_group(made, []))


def test_gangs_of_a_driver_that_was_fenced_meanwhile_are_removed() -> None:
    made, removed = of(), []
    own = found_group(made, removed, epoch=2)
    stranger = found_group(made, removed, epoch=1, number=7)
    made.found = [own, stranger]
    made.remove_unknown({own.name}, epoch=2)
    assert removed == [stranger.name]


def test_gangs_of_a_newer_driver_tell_that_there_is_one() -> None:
    made, removed = of(), []
    made.found = [found_group(made, removed, epoch=3)]
    with pytest.raises(FencedError, match=r"a newer driver \(epoch 3\)"):
        made.remove_unknown(set(), epoch=2)
    assert removed == []
