"""Held-out problems, not used for tuning: committed first, run once, after all choices.

Six are shapes with a formula, each with an exact oracle and one that optimises: convex, concave and
disconnected, of two and three objectives. Two are language models as tables: a policy is a softmax
over a few answers to each kind of prompt, which training moves towards rewards; unlike
`engine.simulation.llm_like`, nothing here is a latent space with a tax.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from paretoflow.core.ids import rng_of
from paretoflow.core.values import FloatArray, Problem
from paretoflow.engine.oracles import OracleCheckpoint, Snapshot, TrainingTask
from paretoflow.front.dominance import nondominated
from paretoflow.front.simplex import das_dennis, uniform_simplex
from tests.benchmarks.proposers.oracles import Slopes
from tests.benchmarks.proposers.problems import Known
from tests.benchmarks.proposers.trainable import Trainable

FINE = {2: 400, 3: 36}
"""Divisions of the lattice that a front with a formula is made of."""
AWAY = 6
"""Coordinates that lead away from the front."""
Shape = Callable[[FloatArray], FloatArray]
"""Gains, (n, m), of places on the simplex, (n, m)."""


def bulging(powers: Sequence[float], roundness: float, place: FloatArray) -> FloatArray:
    """Return gains of a front that bulges outwards (roundness above 1) or inwards (below 1).

    Each objective is bent by a power of its own, so that the front is not symmetric.
    """
    length = (place**roundness).sum(axis=1, keepdims=True) ** (1 / roundness)
    return np.asarray((place / length) ** np.array(powers), dtype=np.float64)


def in_pieces(waves: float, depth: float, place: FloatArray) -> FloatArray:
    """Return gains of a surface of which waves leave several pieces as the front."""
    others, last = place[:, :-1], place[:, -1:]
    wave = np.sin(waves * np.pi * others).sum(axis=1, keepdims=True)
    return np.hstack([others**0.7, last**0.8 + depth * wave])


SHAPES: dict[str, tuple[int, Shape]] = {
    "sealed_convex_2": (2, partial(bulging, (1.0, 0.7), 1.7)),
    "sealed_convex_3": (3, partial(bulging, (1.0, 0.7, 1.2), 1.8)),
    "sealed_concave_2": (2, partial(bulging, (1.0, 1.3), 0.65)),
    "sealed_concave_3": (3, partial(bulging, (1.1, 1.0, 0.8), 0.6)),
    "sealed_pieces_2": (2, partial(in_pieces, 7.0, 0.13)),
    "sealed_pieces_3": (3, partial(in_pieces, 5.0, 0.1)),
}


def front_of(name: str) -> FloatArray:
    """Return the front of a shape, shape (k, m)."""
    m, shape = SHAPES[name]
    gains = shape(das_dennis(m, FINE[m]))
    return gains[nondominated(gains)]


def trainable_of(name: str) -> Trainable:
    """Return a shape as a function: places by sticks, and coordinates that lead away from it."""
    m, shape = SHAPES[name]

    def gains(u: FloatArray) -> tuple[FloatArray, FloatArray]:
        left, parts = np.ones(len(u)), []
        for stick in u[:, : m - 1].T:
            parts.append(left * stick)
            left = left * (1 - stick)
        place = np.column_stack([*parts, left])
        # the goal of each further coordinate moves with the place, so that a turn costs steps
        goals = 0.3 + 0.4 * place[:, np.arange(AWAY) % m]
        away = ((u[:, m - 1 :] - goals) ** 2).mean(axis=1, keepdims=True)
        return shape(place) - 2.0 * away, np.zeros(len(u))

    return Trainable(m - 1 + AWAY, gains)


KINDS, ANSWERS = 6, 14
"""Kinds of prompts, and answers that a policy chooses from."""
ALL_PROMPTS, EVAL_PROMPTS = 400, 48
STEPS, RATE, NOISE, PULL = 12, 0.45, 0.5, 0.02
"""Of a run: steps, their size, the share of a step that is luck, and the pull back to the base."""
AGAINST = 0.55
"""How much an objective dislikes what the first likes."""


@dataclass(frozen=True)
class Tables:
    """A made-up language task.

    Args:
        start: Logits of the base, shape (KINDS, ANSWERS).
        rewards: Between 0 and 1, shape (m, KINDS, ANSWERS).
        kinds: Kind of each prompt, shape (ALL_PROMPTS,).
        shifts: Change of the logits by a prompt, shape (ALL_PROMPTS, ANSWERS).
        hard: Reduction of every reward by a prompt, shape (ALL_PROMPTS,).
    """

    start: FloatArray
    rewards: FloatArray
    kinds: np.ndarray
    shifts: FloatArray
    hard: FloatArray

    def policies(self, tilt: FloatArray) -> FloatArray:
        """Return the chances of answers to each prompt, shape (ALL_PROMPTS, ANSWERS)."""
        return softmax((self.start + tilt)[self.kinds] + self.shifts)

    def truth(self, tilt: FloatArray) -> FloatArray:
        """Return mean scores over all prompts, shape (m,)."""
        scores = (self.policies(tilt)[None] * self.rewards[:, self.kinds]).sum(axis=2)
        return np.asarray((scores - self.hard).mean(axis=1), dtype=np.float64)


@cache
def tables_of(m: int, draw: int = 0) -> Tables:
    """Return the task for m objectives: one is easy, rewards disagree, good answers are rare."""
    rng = rng_of("fresh tables", m, draw) if draw else rng_of("sealed tables", m)
    taste = rng.standard_normal((m, KINDS, ANSWERS))
    taste[1:] -= AGAINST * taste[:1]
    sharpness = np.array([1.5, 3.0, 2.2])[:m, None, None]
    rewards = 1 / (1 + np.exp(-sharpness * (taste - np.array([0.2, 1.1, 0.8])[:m, None, None])))
    start = rng.standard_normal((KINDS, ANSWERS)) - 0.5 * taste.max(axis=0)
    return Tables(
        start,
        rewards,
        rng.integers(0, KINDS, ALL_PROMPTS),
        0.6 * rng.standard_normal((ALL_PROMPTS, ANSWERS)),
        np.clip(0.1 * rng.standard_normal(ALL_PROMPTS), -0.3, 0.3),
    )


class TableOracle:
    """Trains tilts of the table by policy gradients; answers are drawn, prompts are the sweep's.

    Args:
        low: Raw score that 0 stands for, shape (m,).
        high: Raw score that 1 stands for, shape (m,).
        sweep: Seed of the prompts.
        draw: Which task.
    """

    def __init__(self, low: FloatArray, high: FloatArray, sweep: int, draw: int = 0) -> None:
        self._low, self._span, self._tables = low, high - low, tables_of(len(low), draw)
        drawn = rng_of("sealed prompts", sweep).permutation(ALL_PROMPTS)
        self._prompts = drawn[:EVAL_PROMPTS]

    def base(self, problem: Problem, rng: np.random.Generator) -> OracleCheckpoint:
        """Return the untrained model."""
        return self._scored(np.zeros((KINDS, ANSWERS)), 0.0, rng)

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Return two checkpoints."""
        tilt = np.zeros((KINDS, ANSWERS)) if task.start is None else task.start
        slopes, found = Slopes(task.proposal), []
        for step in range(1, STEPS + 1):
            tilt = stepped(self._tables, tilt, slopes.at(self.truth, tilt), rng)
            if step in (STEPS // 2, STEPS):
                found.append(self._scored(tilt, 0.5, rng))
        return found

    def evaluate(self, snapshot: Snapshot, rng: np.random.Generator) -> OracleCheckpoint:
        """Return other answers of a policy to the same prompts."""
        return self._scored(snapshot.state, 0.05, rng)

    def truth(self, state: FloatArray) -> FloatArray:
        """Return the normalised gains of a tilt over all prompts, shape (m,)."""
        return np.asarray((self._tables.truth(state) - self._low) / self._span)

    def _scored(self, tilt: FloatArray, cost: float, rng: np.random.Generator) -> OracleCheckpoint:
        tables, prompts = self._tables, self._prompts
        chances = tables.policies(tilt)[prompts].cumsum(axis=1)
        answers = (rng.random((len(prompts), 1)) > chances).sum(axis=1).clip(max=ANSWERS - 1)
        raw = tables.rewards[:, tables.kinds[prompts], answers] - tables.hard[prompts]
        gains = (raw - self._low[:, None]) / self._span[:, None]
        return OracleCheckpoint(cost, prompt_scores=gains, state=tilt)


def stepped(
    tables: Tables, tilt: FloatArray, weights: FloatArray, rng: np.random.Generator | None
) -> FloatArray:
    """Return a tilt after one step: rewards in standard deviations, less their mean, weighted."""
    chances = softmax(tables.start + tilt)
    mean = (chances * tables.rewards).sum(axis=2, keepdims=True)
    sd = np.sqrt((chances * (tables.rewards - mean) ** 2).sum(axis=2, keepdims=True)) + 0.05
    up = np.einsum("i,ikj->kj", weights, (tables.rewards - mean) / sd) * np.sqrt(chances)
    luck = 0.0 if rng is None else NOISE * up.std() * rng.standard_normal(up.shape)
    return np.asarray(tilt * (1 - PULL) + RATE * (up + luck), dtype=np.float64)


def softmax(logits: FloatArray) -> FloatArray:
    """Return chances along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float64)


def table_front(m: int, draw: int = 0) -> FloatArray:
    """Return what training without luck comes to, for many weights and up to four runs' steps."""
    tables, found = tables_of(m, draw), []
    for weights in np.vstack([np.eye(m), uniform_simplex(m, 60 * (m - 1), 0)]):
        tilt = np.zeros((KINDS, ANSWERS))
        for step in range(4 * STEPS):
            tilt = stepped(tables, tilt, weights, None)
            if step % 6 == 5:
                found.append(tables.truth(tilt))
    gains = np.array(found)
    return gains[nondominated(gains)]


def _shaped(name: str) -> Known:
    return Known(
        name, "_".join(name.split("_")[:2]), partial(front_of, name), partial(trainable_of, name)
    )


SEALED = [
    *(_shaped(name) for name in SHAPES),
    *(
        Known(f"sealed_llm_{m}", "sealed_llm", partial(table_front, m), prompted=TableOracle)
        for m in (2, 3)
    ),
]
FRESH = [
    Known(
        f"fresh_llm_{m}_{draw}",
        "fresh_llm",
        partial(table_front, m, draw),
        prompted=partial(TableOracle, draw=draw),
    )
    for m in (2, 3)
    for draw in (1, 2, 3)
]
"""Other draws of the tables: after the sealed family had been run, the rule was changed once
because of its losses there, and checked on these afterwards."""
