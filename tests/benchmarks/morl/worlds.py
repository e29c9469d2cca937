"""Three environments of MO-Gymnasium as arrays: many episodes at once in one process.

Their numbers are read from the package; their rules are implemented here, and a test compares each
with the package step by step. n episodes, m objectives, f features.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.values import FloatArray, IntArray

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Step:
    """What one step of all episodes gave.

    Args:
        rewards: Shape (n, m).
        ended: Whether each episode is over, shape (n,); its rewards count.
    """

    rewards: FloatArray
    ended: BoolArray


class World(ABC):
    """Many episodes of one environment.

    Lifecycle: `begin` with the number of episodes, then any number of `step`; the caller calls
    `restart` for the ended episodes. `features` are the inputs of a policy, `observations` those of
    MO-Gymnasium.
    """

    actions: int
    objectives: int
    width: int
    horizon: int
    """Steps after which MO-Gymnasium cuts an episode off, or at which it is over anyhow."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng: Any = rng

    def begin(self, count: int) -> None:
        """Put `count` episodes at their start."""
        self._alloc(count)
        self.restart(np.ones(count, dtype=np.bool_))

    @abstractmethod
    def _alloc(self, count: int) -> None:
        """Make room for `count` episodes."""

    @abstractmethod
    def restart(self, chosen: BoolArray) -> None:
        """Put the chosen episodes at their start; `chosen` has shape (n,)."""

    @abstractmethod
    def step(self, actions: IntArray) -> Step:
        """Take an action in every episode, shape (n,)."""

    @abstractmethod
    def observations(self) -> FloatArray:
        """Return what MO-Gymnasium would show, a row for each episode."""

    @abstractmethod
    def seen(self, observations: FloatArray) -> NDArray[np.float32]:
        """Return the inputs of a policy for observations, shape (n, width)."""

    def features(self) -> NDArray[np.float32]:
        """Return the present inputs of a policy, shape (n, width)."""
        return self.seen(self.observations())


class FruitTree(World):
    """`fruit-tree-v0`: six times left or right, then a fruit of six nutrients.

    The policy sees which node it is at, one-hot.
    """

    actions, objectives, width, horizon = 2, 6, 63, 6

    def __init__(self, rng: np.random.Generator) -> None:
        from mo_gymnasium.envs.fruit_tree.fruit_tree import FRUITS

        super().__init__(rng)
        self._fruits = np.array(FRUITS["6"], dtype=np.float32).astype(np.float64)

    def _alloc(self, count: int) -> None:
        self._row = np.zeros(count, dtype=np.int64)
        self._place = np.zeros(count, dtype=np.int64)

    def restart(self, chosen: BoolArray) -> None:
        self._row[chosen] = 0
        self._place[chosen] = 0

    def step(self, actions: IntArray) -> Step:
        self._row += 1
        self._place = 2 * self._place + actions
        ended = self._row == self.horizon
        rewards = np.zeros((len(ended), self.objectives))
        rewards[ended] = self._fruits[self._place[ended]]
        return Step(rewards, ended)

    def observations(self) -> FloatArray:
        return np.stack([self._row, self._place], axis=1).astype(np.float64)

    def seen(self, observations: FloatArray) -> NDArray[np.float32]:
        row, place = observations.astype(np.int64).T
        return _one_hot(2**row - 1 + place, self.width)


class DeepSea(World):
    """`deep-sea-treasure-concave-v0`: the farther the treasure, the more it is worth.

    The policy sees which of the 11 x 11 squares it is in, one-hot.
    """

    actions, objectives, width, horizon = 4, 2, 121, 100
    _moves = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])

    def __init__(self, rng: np.random.Generator) -> None:
        from mo_gymnasium.envs.deep_sea_treasure.deep_sea_treasure import CONCAVE_MAP

        super().__init__(rng)
        self._map = np.asarray(CONCAVE_MAP, dtype=np.float64)

    def _alloc(self, count: int) -> None:
        self._square = np.zeros((count, 2), dtype=np.int64)

    def restart(self, chosen: BoolArray) -> None:
        self._square[chosen] = 0

    def step(self, actions: IntArray) -> Step:
        moved = self._square + self._moves[actions]
        inside = ((moved >= 0) & (moved < len(self._map))).all(axis=1)
        moved = np.where(inside[:, None], moved, self._square)
        rock = self._map[moved[:, 0], moved[:, 1]] == -10
        self._square = np.where(rock[:, None], self._square, moved)
        treasure = self._map[self._square[:, 0], self._square[:, 1]]
        return Step(np.stack([treasure, np.full(len(treasure), -1.0)], axis=1), treasure > 0)

    def observations(self) -> FloatArray:
        return self._square.astype(np.float64)

    def seen(self, observations: FloatArray) -> NDArray[np.float32]:
        return _one_hot(observations.astype(np.int64) @ np.array([11, 1]), self.width)


_MINE = 0


class Minecart(World):
    """`minecart-v0`: dig two ores at five mines, and bring them home on little fuel."""

    actions, objectives, width, horizon = 6, 3, 7, 1000
    _frames = 4
    _slow = 0.001

    def __init__(self, rng: np.random.Generator, config: str = "mine_config.json") -> None:
        from mo_gymnasium.envs.minecart import minecart

        super().__init__(rng)
        file = Path(minecart.__file__).with_name(config)
        told = json.loads(file.read_text(encoding="utf-8"))
        self._mines = np.array([[mine["x"], mine["y"]] for mine in told["mines"]])
        found = np.array([mine["distributions"] for mine in told["mines"]])
        self._mean, self._spread = found[:, :, 0], found[:, :, 1]
        self._capacity = float(told["capacity"])
        fuel = np.array(minecart.FUEL_LIST) - minecart.FUEL_IDLE
        idle = np.float32(minecart.FUEL_IDLE * self._frames)  # as there: summed in single precision
        self._turns = np.array([0.0, -10.0, 10.0, 0.0, 0.0, 0.0])
        self._pushes = np.array([0.0, 0.0, 0.0, 0.0075, -1.0, 0.0])
        self._fuel = (idle + (fuel * self._frames).astype(np.float32)).astype(np.float64)

    def _alloc(self, count: int) -> None:
        self._place = np.zeros((count, 2))
        self._speed = np.zeros(count)
        self._angle = np.zeros(count)
        self._load = np.zeros((count, 2))
        self._left_home = np.zeros(count, dtype=np.bool_)

    def restart(self, chosen: BoolArray) -> None:
        self._place[chosen] = 0.0
        self._speed[chosen] = 0.0
        self._angle[chosen] = 45.0
        self._load[chosen] = 0.0
        self._left_home[chosen] = False

    def step(self, actions: IntArray) -> Step:
        rewards = np.zeros((len(actions), 3))
        rewards[:, 2] = self._fuel[actions]
        over = np.zeros(len(actions), dtype=np.bool_)
        halted = over
        for _ in range(self._frames):
            # the frame after the end still turns the cart, but does not move it
            self._angle += self._turns[actions] * ~halted
            self._speed = (self._speed + self._pushes[actions] * ~halted).clip(0.0, 1.0)
            self._dig((actions == _MINE) & ~halted)
            halted = over.copy()
            self._roll(~halted & (self._speed >= self._slow))
            x, y = self._place.T
            home = x * x + y * y < 0.15**2
            arrived = home & self._left_home & ~halted
            if arrived.any():
                rewards[arrived, :2] = self._load[arrived].astype(np.float32)
                self._load[arrived] = 0.0
                over = over | arrived
            self._left_home |= ~home & ~halted
        return Step(rewards, over)

    def _dig(self, digging: BoolArray) -> None:
        still = np.flatnonzero(digging & (self._speed < self._slow))
        if not len(still):
            return
        apart = np.linalg.norm(self._place[still, None] - self._mines, axis=2)
        mine = apart.argmin(axis=1)
        near = apart[np.arange(len(still)), mine] <= 0.14
        at, mine = still[near], mine[near]
        if not len(at):
            return
        found = self._mean[mine] + self._spread[mine] * self.rng.standard_normal((len(at), 2))
        found = found.clip(0.0)
        total, room = found.sum(axis=1), self._capacity - self._load[at].sum(axis=1)
        share = np.where(total > room, room / np.where(total > 0, total, 1.0), 1.0)
        self._load[at] += found * share[:, None]

    def _roll(self, rolling: BoolArray) -> None:
        angle, speed = np.radians(self._angle), self._speed * rolling
        velocity = np.empty_like(self._place)
        np.multiply(speed, np.cos(angle), out=velocity[:, 0])
        np.multiply(speed, np.sin(angle), out=velocity[:, 1])
        before = self._place
        self._place = (before + velocity).clip(0.0, 1.0)
        gone = self._place - before
        x, y = gone.T
        self._speed = np.where(rolling, np.sqrt(x * x + y * y), self._speed)
        edge = rolling & ((before == 0.0) | (before == 1.0)).any(axis=1)
        if edge.any():
            self._angle[edge] += _slide(before[edge], velocity[edge], self._slow)

    def observations(self) -> FloatArray:
        angle = np.radians(self._angle)
        parts = [self._place, self._speed[:, None], np.sin(angle)[:, None], np.cos(angle)[:, None]]
        return np.concatenate([*parts, self._load / self._capacity], axis=1)

    def seen(self, observations: FloatArray) -> NDArray[np.float32]:
        seen = observations.astype(np.float32)
        seen[:, 2] *= 5.0  # speeds of use are below 0.2
        return seen


def _slide(place: FloatArray, velocity: FloatArray, slow: float) -> FloatArray:
    """Return by how many degrees carts turn along the walls that they touch, shape (n,)."""
    inner, moving = (place != 0.0) & (place != 1.0), np.abs(velocity) > slow
    degrees = 10.0 * np.copysign(1.0, velocity)
    turned = np.zeros(len(place))
    for wall, along, sign in ((0, 1, 1.0), (1, 0, -1.0)):
        free = inner[:, along] & moving[:, along]
        pushed = np.where(place[:, wall] == 1.0, velocity[:, wall] > 0, velocity[:, wall] < 0)
        touching = free & ~inner[:, wall] & pushed
        towards = np.where(place[:, wall] == 1.0, sign, -sign)
        turned += touching * towards * degrees[:, along]
    return turned


def _one_hot(place: IntArray, width: int) -> NDArray[np.float32]:
    """Return a row for each place; all 0 beyond the width: at a fruit nothing is left to do."""
    seen = np.zeros((len(place), width), dtype=np.float32)
    inside = np.flatnonzero(place < width)
    seen[inside, place[inside]] = 1.0
    return seen


WORLDS: dict[str, type[World]] = {
    "fruit-tree-v0": FruitTree,
    "deep-sea-treasure-concave-v0": DeepSea,
    "minecart-v0": Minecart,
}
"""MO-Gymnasium's id to ours."""
