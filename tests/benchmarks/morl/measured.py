"""Measures the worth of a front again in MO-Gymnasium itself."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from paretoflow.core.values import FloatArray
from paretoflow.engine.session.folder import sweep_root
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.front.hypervolume import hypervolume
from tests.benchmarks.morl.spec import MorlSpec
from tests.benchmarks.morl.training import fresh_policy, last_age
from tests.benchmarks.morl.worlds import WORLDS

SAME = 1e-5
"""Returns nearer than this are the same: MO-Gymnasium's rewards are in single precision."""
EPISODES = 20
"""Of each policy of a front, where an environment is random."""


def known_front(spec: MorlSpec) -> FloatArray:
    """Return the front that MO-Gymnasium tells for the job's discount, shape (k, m)."""
    front = package_world(spec).unwrapped.pareto_front(spec.environment.gamma)
    return np.array(front, dtype=np.float64)


def ref_point(spec: MorlSpec) -> FloatArray:
    """Return the job's reference point, shape (m,)."""
    return np.array([o.ref for o in spec.objectives])


def known_hypervolume(spec: MorlSpec) -> float:
    """Return the hypervolume of the known front."""
    return hypervolume(known_front(spec), ref_point(spec))


def hypervolume_there(spec: MorlSpec, state: SweepState) -> float:
    """Return the hypervolume of a sweep's front, with new episodes of each policy in MO-Gymnasium.

    Their random numbers differ from those that selected the front, so a lucky policy is not lucky
    again.
    """
    root = sweep_root(spec).local
    assert root is not None  # jobs keep their sweeps in a folder
    rows = [state.evaluations[int(i)] for i in state.front_indices]
    world = package_world(spec)
    with drawing_from(spec.seed):
        found = [returns_there(spec, world, root / row.path) for row in rows if row.path]
    return hypervolume(np.array(found), ref_point(spec))


def points_found(known: FloatArray, found: FloatArray) -> int:
    """Return how many known points, (k, m), are among those found, (n, m), up to rounding.

    By hand: of (0, 2), (1, 1), the points (1, 1 + 1e-9), (0, 1.9) are one.
    """
    apart = np.abs(known[:, None] - found[None]).max(axis=2)
    return int((apart < SAME).any(axis=1).sum())


@contextmanager
def drawing_from(seed: int) -> Iterator[None]:
    """Seed numpy's global stream, which MO-Gymnasium's mines draw from, and put it back after."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


def returns_there(spec: MorlSpec, world: Any, folder: Path) -> FloatArray:
    """Return a policy's mean discounted returns in MO-Gymnasium's own environment, shape (m,)."""
    policy, gamma = fresh_policy(spec, 0), spec.environment.gamma
    policy.load(folder)
    episodes = EPISODES if spec.environment.evaluations > 1 else 1
    total = np.zeros(len(spec.objectives))
    eye = WORLDS[spec.environment.id](np.random.default_rng(0))
    for _ in range(episodes):
        seen, _ = world.reset()
        for age in range(last_age(spec)):
            features = torch.from_numpy(eye.seen(np.asarray(seen, dtype=np.float64)[None]))
            with torch.inference_mode():
                action = int(policy.actor(features).argmax())
            seen, reward, ended, cut, _ = world.step(action)
            total += gamma**age * np.asarray(reward, dtype=np.float64)
            if ended or cut:
                break
    return total / episodes


def package_world(spec: MorlSpec) -> Any:
    """Return MO-Gymnasium's environment of a job."""
    import mo_gymnasium

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the precision of its boxes
        return mo_gymnasium.make(spec.environment.id)
