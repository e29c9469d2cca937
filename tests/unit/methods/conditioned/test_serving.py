from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paretoflow.core.cost import Cost
from paretoflow.core.protocols import Checkpoint, Served
from paretoflow.core.values import FloatArray
from paretoflow.methods.conditioned.prompts import angle_between
from paretoflow.methods.conditioned.serving import served_points, serving
from paretoflow.spec.methods.conditioned import BestOfSelectSpec, RpsSelectSpec, ServeSpec


def ask(weights: FloatArray) -> Served:
    return Served(weights, {"prefix": f"{weights.tolist()} "})


def test_preferences_lie_evenly_by_hand():
    points = served_points(ServeSpec(points=3), 2, ask)
    assert [p.weights.tolist() for p in points] == [[0, 1], [0.5, 0.5], [1, 0]]
    assert points[1].condition == {"prefix": "[0.5, 0.5] "}
    assert all(p.draws == () for p in points)


@pytest.mark.parametrize(
    ("m", "points", "count"), [(2, 11, 11), (3, 11, 15), (3, 2, 3), (4, 5, 10)]
)
def test_more_objectives_take_the_smallest_lattice(m, points, count):
    assert len(served_points(ServeSpec(points=points), m, ask)) == count


def test_rps_asks_neighbours_and_says_so():
    select = RpsSelectSpec(type="rps", k=4, angle=20)
    points = served_points(ServeSpec(points=5, select=select), 3, ask)
    for point in points:
        assert len(point.draws) == 4
        assert all(angle_between(d.weights, point.weights) <= 20 + 1e-6 for d in point.draws)
        assert len({tuple(d.weights) for d in point.draws}) == 4
        told = json.loads(json.dumps(point.condition))
        assert told["select"] == {
            "type": "rps",
            "k": 4,
            "angle": 20,
            "draws": [dict(d.condition) for d in point.draws],
        }


def test_neighbours_are_the_same_whenever_they_are_drawn():
    serve = ServeSpec(points=3, select=RpsSelectSpec(type="rps"))
    one, other = (served_points(serve, 2, ask) for _ in range(2))
    assert [p.condition for p in one] == [p.condition for p in other]


def test_the_best_of_k_asks_the_preference_itself():
    serve = ServeSpec(points=2, select=BestOfSelectSpec(type="best_of", k=3))
    first, _ = served_points(serve, 2, ask)
    assert [d.weights.tolist() for d in first.draws] == [[0.0, 1.0]] * 3
    assert first.condition["select"]["type"] == "best_of"


def test_every_checkpoint_tells_what_it_serves():
    seen: list[Checkpoint] = []
    points = served_points(ServeSpec(points=2), 2, ask)
    report = serving(seen.append, points)
    report(Checkpoint(1, Path("a"), final=True, cost=Cost(), weights=np.ones(2) / 2, metrics={}))
    assert seen[0].served == points
    assert seen[0].step == 1
