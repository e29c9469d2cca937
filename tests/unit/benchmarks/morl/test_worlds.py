"""Our environments against MO-Gymnasium's, step by step."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.morl.worlds import WORLDS, DeepSea, FruitTree, Minecart, World

mo_gymnasium = pytest.importorskip("mo_gymnasium", reason="needs the extra `bench`")

pytestmark = pytest.mark.filterwarnings("ignore:.*precision lowered by casting:UserWarning")


class OneStream:
    """Draws as MO-Gymnasium does: one number after the other from numpy's global stream."""

    def __init__(self, seed: int) -> None:
        self._state = np.random.RandomState(seed)

    def standard_normal(self, shape: tuple[int, ...]) -> np.ndarray:
        return self._state.standard_normal(shape)


def follow(theirs, ours: World, actions: np.ndarray) -> int:
    """Take the same actions in both, from the start again after each end; return the ends."""
    everywhere, ends = np.ones(1, dtype=bool), 0
    seen, _ = theirs.reset()
    ours.begin(1)
    for action in actions:
        assert ours.observations()[0] == pytest.approx(seen, abs=1e-6)
        seen, reward, ended, _, _ = theirs.step(int(action))
        step = ours.step(np.array([action]))
        assert step.rewards[0] == pytest.approx(reward, abs=1e-6)
        assert bool(step.ended[0]) == ended
        if ended:
            ends += 1
            seen, _ = theirs.reset()
            ours.restart(everywhere)
    return ends


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_the_shapes_are_the_package_s(name: str) -> None:
    theirs = mo_gymnasium.make(name).unwrapped
    ours = WORLDS[name](np.random.default_rng(0))
    ours.begin(3)
    assert ours.actions == theirs.action_space.n
    assert ours.objectives == theirs.unwrapped.reward_dim
    assert ours.features().shape == (3, ours.width)


@pytest.mark.parametrize("world", [FruitTree, DeepSea])
def test_a_deterministic_world_is_the_package_s(world: type[World]) -> None:
    name = next(n for n, w in WORLDS.items() if w is world)
    actions = np.random.default_rng(1).integers(world.actions, size=600)
    ours = world(np.random.default_rng(0))
    assert follow(mo_gymnasium.make(name).unwrapped, ours, actions) > 10


def wandering(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return actions that drive about, meet walls, and dig often."""
    trips = []
    while sum(map(len, trips)) < count:
        turns = rng.choice([1, 2], size=1).repeat(rng.integers(0, 4))
        drive = np.full(rng.integers(1, 5), 3)
        roll = np.full(rng.integers(0, 14), 5)
        stop = np.array([4] * rng.integers(0, 2), dtype=int)
        trips.append(np.concatenate([turns, drive, roll, stop, np.zeros(rng.integers(0, 6))]))
    return np.concatenate(trips)[:count].astype(np.int64)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_minecart_is_the_package_s(seed: int) -> None:
    """Random digging too: with one cart the draws come in the same order."""
    theirs = mo_gymnasium.make("minecart-v0").unwrapped
    np.random.seed(seed)  # noqa: NPY002
    actions = wandering(np.random.default_rng(seed), 1500)
    assert follow(theirs, Minecart(OneStream(seed)), actions) > 3
