from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind
from paretoflow.proposers import build
from paretoflow.proposers.ols import Support, left_to_win, widest_corner
from paretoflow.spec.proposers import OlsProposerSpec
from tests.histories import Front, circle, history_of, problem_of, swept, weighted, zdt1

NONE = np.empty((0, 2))
EXACT = OlsProposerSpec(type="ols")


def support(points: list[list[float]], weights: list[list[float]]) -> Support:
    known = np.array(points)
    return Support(known, np.zeros_like(known), np.array(weights), np.ones(known.shape[1]))


def test_the_widest_corner_by_hand():
    ends = support([[1, 0], [0, 1]], [[1, 0], [0, 1]])
    corner = widest_corner(ends, np.eye(2))
    assert corner is not None
    assert corner.weights.values == (0.5, 0.5)
    assert (corner.here, corner.bound) == pytest.approx((0.5, 1.0))
    assert left_to_win(ends) == pytest.approx(0.5)
    bent = support([[1, 0], [0, 1], [0.75, 0.75]], [[1, 0], [0, 1], [0.5, 0.5]])
    corner = widest_corner(bent, np.vstack([np.eye(2), [[0.5, 0.5]]]))
    assert corner is not None
    assert corner.weights.values in {(0.75, 0.25), (0.25, 0.75)}
    assert (corner.here, corner.bound) == pytest.approx((0.75, 0.875))
    # a concave front: equal weights have come back with an end
    closed = support([[1, 0], [0, 1]], [[1, 0], [0, 1], [0.5, 0.5]])
    assert widest_corner(closed, np.vstack([np.eye(2), [[0.5, 0.5]]])) is None


def test_pending_launches_come_half_way_to_their_bound():
    ends = support([[1, 0], [0, 1]], [[1, 0], [0, 1]])
    believed = ends.believing([weighted([0.5, 0.5])])
    assert believed.points[-1] == pytest.approx([0.75, 0.75])
    corner = widest_corner(believed, np.vstack([np.eye(2), [[0.5, 0.5]]]))
    assert corner is not None
    assert max(corner.weights.values) == pytest.approx(0.75)


def test_three_objectives_swap_with_their_corners():
    rng = np.random.default_rng(3)
    points = np.abs(rng.standard_normal((6, 3)))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    order = [2, 0, 1]
    plain, other = (
        widest_corner(support(p.tolist(), np.eye(3).tolist()), np.eye(3))
        for p in (points, points[:, order])
    )
    assert plain is not None
    assert other is not None
    assert other.bound == pytest.approx(plain.bound)
    assert other.weights.array == pytest.approx(plain.weights.array[order], abs=1e-6)


def test_it_ends_once_no_corner_has_more_than_epsilon_to_win():
    spec = OlsProposerSpec(type="ols", epsilon=0.02)
    share, launches = swept(build(spec, m=2, runs=60), Front(zdt1()), 60)
    assert 6 < len(launches) < 30
    assert share > 0.85


def test_a_failed_corner_is_open_and_does_not_end_the_sweep():
    spec = OlsProposerSpec(type="ols", epsilon=0.02)
    done = [weighted([1, 0]), weighted([0, 1])]
    history = history_of(problem_of(2), done, [(0, [1, 0])], failed=[1])
    chosen = build(spec, m=2, runs=60).propose(history, (), 2, 0)
    assert len(chosen) == 2
    assert not {p.weights for p in chosen} & {p.weights for p in done}


def test_a_width_within_the_noise_ends_it_too():
    done = [weighted(w) for w in ([1, 0], [0, 1], [0.5, 0.5])]
    rows = [(0, [1.0, 0.0]), (1, [0.0, 1.0]), (2, [0.6, 0.6])]
    spec = OlsProposerSpec(type="ols", epsilon=0.0)

    def chosen(stderr: float, z: float = 1.0) -> int:
        history = history_of(problem_of(2), done, rows, stderr=stderr)
        proposer = build(spec.model_copy(update={"z": z}), m=2, runs=9)
        return len(proposer.propose(history, (), 1, 0))

    assert chosen(0.01) == 1
    assert chosen(0.5) == 0
    assert chosen(0.5, z=0.0) == 1


def test_without_epsilon_the_budget_goes_to_weights_far_from_all():
    share, launches = swept(build(EXACT, m=2, runs=12), Front(circle()), 12)
    assert share == pytest.approx(0.495, abs=0.005)
    assert len({p.weights for p in launches}) == 12
    assert "No corner promises anything more" in launches[-1].reason
    assert {p.kind for p in launches} == {LaunchKind.WEIGHTED}


def test_corners_beat_a_lattice_on_a_convex_front():
    assert swept(build(EXACT, m=2, runs=12), Front(zdt1()), 12)[0] > 0.92
