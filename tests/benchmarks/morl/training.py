"""One launch from its start to its last policy, and the measurement of a policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from paretoflow.core.ids import seed_of
from paretoflow.core.values import FloatArray, Proposal
from paretoflow.methods.constrained.dual import DualController
from paretoflow.spec.methods.base import look_every
from tests.benchmarks.morl.barrier import Barrier, thresholds_of
from tests.benchmarks.morl.policy import Policy
from tests.benchmarks.morl.ppo import Ppo, Runner
from tests.benchmarks.morl.spec import MorlSpec, PpoSpec
from tests.benchmarks.morl.worlds import WORLDS, World

NEGLIGIBLE = 1e-4
"""An evaluation leaves off where a reward would be discounted to less than this."""


@dataclass(frozen=True)
class Trained:
    """A policy on the way.

    Args:
        step: Rollouts done.
        played: Steps of the environment since the last one.
        weights: In force, shape (m,).
    """

    step: int
    played: int
    weights: FloatArray
    final: bool


def scale_of(spec: MorlSpec) -> FloatArray:
    """Return the length of each objective's range, shape (m,)."""
    return np.array([o.range[1] - o.range[0] for o in spec.objectives])


def world_of(spec: MorlSpec, seed: int) -> World:
    """Return the job's environment with its own random numbers."""
    return WORLDS[spec.environment.id](np.random.default_rng(seed))


def fresh_policy(spec: MorlSpec, seed: int, parent: Path | None = None) -> Policy:
    """Return a policy: a parent's, or a random one."""
    torch.manual_seed(seed)
    policy = Policy(WORLDS[spec.environment.id], spec.method.hidden)
    if parent is not None:
        policy.load(parent)
        policy.soften(spec.method.warmth)
    return policy


def train(spec: MorlSpec, proposal: Proposal, policy: Policy) -> Iterator[Trained]:
    """Train a policy for a launch; yield whenever it is to be measured, the last time at the end.

    The optimiser is always a fresh one. A constrained launch maximises its target under a barrier,
    or its weights under multipliers.
    """
    method, scale = spec.method, scale_of(spec)
    m, bounds = len(scale), thresholds_of(proposal, scale)
    dual = DualController(method.dual, proposal, scale)
    weights, barrier = dual.weights, None
    if bounds is not None and method.constraint == "barrier":
        barrier = Barrier(bounds, method.sharpness, method.edge)
        weights = proposal.weights.array if proposal.target is None else np.eye(m)[proposal.target]
    world = world_of(spec, seed_of(proposal.seed, "play"))
    runner = Runner(world, policy, method, scale, spec.environment.gamma, barrier)
    discounts = np.append(np.full(m, spec.environment.gamma), 1.0)
    ppo = Ppo(policy, method, discounts, seed_of(proposal.seed, "learn"))
    measured = 0
    for step in range(1, method.steps + 1):
        rollout = runner.play()
        if (
            barrier is None
            and step % look_every(method.dual, method.steps) == 0
            and len(rollout.returns)
        ):
            dual.update(rollout.returns.mean(axis=0) * scale)
            weights = dual.weights
        progress = (step - 1) / method.steps
        ppo.improve(rollout, np.append(weights + method.augment * progress, 1.0), progress)
        if step == method.steps or _due(step, method):
            played = (step - measured) * method.episodes * method.rollout
            yield Trained(step, played, weights, step == method.steps)
            measured = step


def _due(step: int, method: PpoSpec) -> bool:
    return method.checkpoint_every is not None and step % method.checkpoint_every == 0


def last_age(spec: MorlSpec) -> int:
    """Return the steps after which an evaluation leaves off."""
    horizon = WORLDS[spec.environment.id].horizon
    return min(horizon, int(np.log(NEGLIGIBLE) / np.log(spec.environment.gamma)))


def episode_returns(
    spec: MorlSpec, policy: Policy, episodes: int, seed: int
) -> tuple[FloatArray, int]:
    """Return discounted returns of the likeliest actions, shape (episodes, m), and steps played.

    Args:
        spec: The environment and its discount.
        policy: What is measured.
        episodes: How many.
        seed: The same for every policy that is compared.
    """
    world, gamma = world_of(spec, seed), spec.environment.gamma
    world.begin(episodes)
    returns = np.zeros((episodes, world.objectives))
    live, played = np.ones(episodes, dtype=np.bool_), 0
    for age in range(last_age(spec)):
        with torch.inference_mode():
            actions = policy.actor(torch.from_numpy(world.features())).argmax(-1).numpy()
        step = world.step(actions)
        returns += step.rewards * (gamma**age * live)[:, None]
        played += int(live.sum())
        live &= ~step.ended
        if not live.any():
            break
        world.restart(step.ended)
    return returns, played
