"""A second held-out family: committed before the rule that it judges, run once after it.

No problem here was used to choose rules: the shapes have other formulas and drawn exponents, and
are optimised in a rotated space. For language models, policies have logits that are linear in
features of the answers, trained on raw rewards, so that the objective with the larger spread wins
for most weights. Sweeps have the seeds of `SWEEPS`, which have all levels of noise equally often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from paretoflow.core.ids import rng_of
from paretoflow.core.values import FloatArray, Problem
from paretoflow.engine.oracles import OracleCheckpoint, Snapshot, TrainingTask
from paretoflow.front.dominance import nondominated
from paretoflow.front.simplex import das_dennis, symmetric_simplex, uniform_simplex
from tests.benchmarks.proposers.oracles import Slopes
from tests.benchmarks.proposers.problems import Known
from tests.benchmarks.proposers.sealed import AWAY, FINE, softmax
from tests.benchmarks.proposers.trainable import Trainable

SWEEPS = tuple(range(100, 108))
"""Seeds of the sweeps, in the order in which they are run."""
DRAWS = (1, 2)
MANY, MANY_POINTS = 6, 252
SLIGHT = {"convex": (1.2, 1.8), "concave": (0.75, 0.9)}
"""Exponents with six objectives, where the usual ones leave hardly any volume."""
LOGITS = 8.0
"""Logits that one side of the box spans."""


@dataclass(frozen=True)
class Shape:
    """A front by formula.

    Args:
        kind: convex, concave or pieces.
        m: Number of objectives.
        draw: Which of its kind.
    """

    kind: str
    m: int
    draw: int

    @property
    def name(self) -> str:
        """Return its name, which is unique."""
        return f"unseen_{self.kind}_{self.m}_{self.draw}"

    def gains(self, place: FloatArray) -> FloatArray:
        """Return gains, (n, m), of places on the simplex, (n, m)."""
        rng = rng_of("unseen shape", self.kind, self.m, self.draw)
        if self.kind == "pieces":
            waves, depth = rng.uniform(5, 8), rng.uniform(0.25, 0.4)
            wave = np.cos(waves * np.pi * place[:, : self.m - 1]).prod(axis=1, keepdims=True)
            return np.asarray(place * (1 + depth * wave) / (1 + depth), dtype=np.float64)
        ends = {"convex": (1.4, 2.4), "concave": (0.45, 0.75)}
        low, high = ends[self.kind] if self.m < MANY else SLIGHT[self.kind]
        powers = rng.uniform(low, high, self.m)
        return np.asarray(1 - (1 - place) ** powers, dtype=np.float64)

    def front(self) -> FloatArray:
        """Return its points, shape (k, m)."""
        fine = self.m in FINE
        gains = self.gains(
            das_dennis(self.m, FINE[self.m])
            if fine
            else np.vstack([np.eye(self.m), symmetric_simplex(self.m, MANY_POINTS)])
        )
        return gains[nondominated(gains)]

    def trainable(self) -> Trainable:
        """Return it as a function: places by a softmax, all coordinates rotated into each other."""
        rng = rng_of("unseen space", self.kind, self.m, self.draw)
        dims = self.m + AWAY
        turn = np.linalg.qr(rng.standard_normal((dims, dims)))[0]
        steep = rng.uniform(6.0, 12.0)

        def gains(u: FloatArray) -> tuple[FloatArray, FloatArray]:
            v = (u - 0.5) @ turn
            place = softmax(LOGITS * v[:, : self.m])
            goals = 0.2 * (place[:, np.arange(AWAY) % self.m] - 0.5)
            away = ((v[:, self.m :] - goals) ** 2).mean(axis=1, keepdims=True)
            return self.gains(place) - steep * away, np.zeros(len(u))

        return Trainable(dims, gains)


ANSWERS, FEATURES = 10, 12
ALL_PROMPTS, EVAL_PROMPTS = 300, 48
STEPS, LUCK, PULL = 16, 0.5, 0.015
"""Of a run: steps, the share of a step that is luck, and the pull to the base."""
RATES = {1: 0.35, 2: 0.7}
"""Length of a step, by draw: runs of the first stop half-way, of the second nearly where they
lead."""
AGAINST = 0.5
"""How much of the first objective's taste the others dislike."""


@dataclass(frozen=True)
class Language:
    """A made-up language task: one set of numbers for all prompts, as a real policy has.

    Args:
        features: Of each answer to each prompt, shape (ALL_PROMPTS, ANSWERS, FEATURES).
        liking: What the base likes, shape (ALL_PROMPTS, ANSWERS).
        rewards: Between 0 and 1, shape (m, ALL_PROMPTS, ANSWERS).
        rate: Length of a step.
    """

    features: FloatArray
    liking: FloatArray
    rewards: FloatArray
    rate: float

    def chances(self, theta: FloatArray) -> FloatArray:
        """Return the chances of answers to each prompt, shape (ALL_PROMPTS, ANSWERS)."""
        return softmax(self.liking + self.features @ theta)

    def truth(self, theta: FloatArray) -> FloatArray:
        """Return mean rewards over all prompts, shape (m,)."""
        scores = (self.chances(theta) * self.rewards).sum(axis=2)
        return np.asarray(scores.mean(axis=1), dtype=np.float64)

    def slopes(self, theta: FloatArray) -> FloatArray:
        """Return the gradient of each mean reward, shape (m, FEATURES)."""
        chances = self.chances(theta)
        mean = (chances * self.rewards).sum(axis=2, keepdims=True)
        pulls = (chances * (self.rewards - mean)).reshape(len(self.rewards), -1)
        return np.asarray(pulls @ self.features.reshape(-1, FEATURES) / ALL_PROMPTS)


@cache
def language_of(m: int, draw: int) -> Language:
    """Return a task: rewards that disagree, one of which varies much more than the others."""
    rng = rng_of("unseen language", m, draw)
    features = rng.standard_normal((ALL_PROMPTS, ANSWERS, FEATURES)) / np.sqrt(FEATURES)
    tastes = rng.standard_normal((m, FEATURES))
    tastes[1:] -= AGAINST * tastes[:1]
    own = 0.4 * rng.standard_normal((m, ALL_PROMPTS, ANSWERS))
    spread = rng.permutation(np.geomspace(3.0, 0.8, m))[:, None, None]
    hard = rng.uniform(0.3, 1.2, (m, 1, 1)) + 0.5 * rng.standard_normal((1, ALL_PROMPTS, 1))
    liked = np.einsum("paf,mf->mpa", features, tastes)
    rewards = 1 / (1 + np.exp(-(spread * (liked + own) - hard)))
    liking = rng.standard_normal((ALL_PROMPTS, ANSWERS)) - 0.6 * liked.max(axis=0)
    return Language(features, liking, rewards, RATES[draw])


class LanguageOracle:
    """Trains the numbers by policy gradients; answers are drawn, prompts are the sweep's.

    Args:
        low: Raw score that 0 stands for, shape (m,).
        high: Raw score that 1 stands for, shape (m,).
        sweep: Seed of the prompts.
        draw: Which task.
    """

    def __init__(self, low: FloatArray, high: FloatArray, sweep: int, draw: int) -> None:
        self._low, self._span = low, high - low
        self._task = language_of(len(low), draw)
        self._prompts = rng_of("unseen prompts", sweep).permutation(ALL_PROMPTS)[:EVAL_PROMPTS]

    def base(self, problem: Problem, rng: np.random.Generator) -> OracleCheckpoint:
        """Return the untrained model."""
        return self._scored(np.zeros(FEATURES), 0.0, rng)

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Return two checkpoints."""
        theta = np.zeros(FEATURES) if task.start is None else task.start
        slopes, found = Slopes(task.proposal), []
        for step in range(1, STEPS + 1):
            theta = stepped(self._task, theta, slopes.at(self.truth, theta), rng)
            if step in (STEPS // 2, STEPS):
                found.append(self._scored(theta, 0.5, rng))
        return found

    def evaluate(self, snapshot: Snapshot, rng: np.random.Generator) -> OracleCheckpoint:
        """Return other answers of a policy to the same prompts."""
        return self._scored(snapshot.state, 0.05, rng)

    def truth(self, state: FloatArray) -> FloatArray:
        """Return the normalised gains of a policy over all prompts, shape (m,)."""
        return np.asarray((self._task.truth(state) - self._low) / self._span)

    def _scored(self, theta: FloatArray, cost: float, rng: np.random.Generator) -> OracleCheckpoint:
        prompts = self._prompts
        chances = self._task.chances(theta)[prompts].cumsum(axis=1)
        answers = (rng.random((len(prompts), 1)) > chances).sum(axis=1).clip(max=ANSWERS - 1)
        raw = self._task.rewards[:, prompts, answers]
        gains = (raw - self._low[:, None]) / self._span[:, None]
        return OracleCheckpoint(cost, prompt_scores=gains, state=theta)


def stepped(
    task: Language, theta: FloatArray, weights: FloatArray, rng: np.random.Generator | None
) -> FloatArray:
    """Return a policy after one step of fixed length along the gradient of the weighted rewards."""
    up = weights @ task.slopes(theta)
    luck = 0.0 if rng is None else LUCK * rng.standard_normal(FEATURES) / np.sqrt(FEATURES)
    step = up / max(float(np.linalg.norm(up)), 1e-9) + luck
    return np.asarray(theta * (1 - PULL) + task.rate * step, dtype=np.float64)


def language_front(m: int, draw: int) -> FloatArray:
    """Return what training without luck comes to, for many weights and up to five runs' steps."""
    task, found = language_of(m, draw), []
    for weights in np.vstack([np.eye(m), uniform_simplex(m, 50 * min(m - 1, 3), 0)]):
        theta = np.zeros(FEATURES)
        for step in range(5 * STEPS):
            theta = stepped(task, theta, weights, None)
            if step % 8 == 7:
                found.append(task.truth(theta))
    gains = np.array(found)
    return gains[nondominated(gains)]


def _shaped(shape: Shape, family: str) -> Known:
    return Known(shape.name, family, shape.front, shape.trainable)


def _spoken(m: int, draw: int, family: str) -> Known:
    return Known(
        f"unseen_llm_{m}_{draw}",
        family,
        partial(language_front, m, draw),
        prompted=partial(LanguageOracle, draw=draw),
    )


KINDS = ("convex", "concave", "pieces")
UNSEEN = [
    *(
        _shaped(Shape(kind, m, draw), f"unseen_{kind}")
        for kind in KINDS
        for m in (2, 3)
        for draw in DRAWS
    ),
    *(_spoken(m, draw, "unseen_llm") for m in (2, 3) for draw in DRAWS),
]
UNSEEN_MANY = [
    *(_shaped(Shape(kind, MANY, 1), "unseen_six") for kind in ("convex", "concave")),
    _spoken(MANY, 1, "unseen_six"),
]
"""Six objectives."""
