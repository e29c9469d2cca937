from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mo_gymnasium", reason="needs the extra `bench`")
pytest.importorskip("torch", reason="needs the extra `train`")

from tests.benchmarks.morl.measured import (
    drawing_from,
    known_hypervolume,
    package_world,
    points_found,
    returns_there,
)
from tests.benchmarks.morl.spec import load_job
from tests.benchmarks.morl.training import episode_returns, fresh_policy

pytestmark = pytest.mark.train


@pytest.mark.parametrize(
    ("job", "known"),
    [("fruit_tree", 46034.80), ("minecart", 668.183), ("deep_sea_treasure", 1101.384)],
)
def test_the_known_fronts_have_the_hypervolume_that_is_known(job: str, known: float) -> None:
    assert known_hypervolume(load_job(job)) == pytest.approx(known, rel=1e-6)


@pytest.mark.parametrize("job", ["fruit_tree", "deep_sea_treasure"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_policy_does_there_what_it_does_here(job: str, seed: int, tmp_path) -> None:
    spec = load_job(job)
    policy = fresh_policy(spec, seed)
    policy.save(tmp_path)
    here, _ = episode_returns(spec, policy, 1, 0)
    there = returns_there(spec, package_world(spec), tmp_path)
    assert there == pytest.approx(here[0], rel=1e-6)


def test_points_are_found_up_to_rounding() -> None:
    known, found = np.array([[0.0, 2.0], [1.0, 1.0]]), np.array([[1.0, 1.0 + 1e-9], [0.0, 1.9]])
    assert points_found(known, found) == 1
    assert points_found(known, known) == 2


def test_the_random_numbers_of_others_are_left_alone() -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    with drawing_from(3):
        np.random.random()  # noqa: NPY002
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
