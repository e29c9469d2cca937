"""Models of run configurations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.values import WeightVector
from paretoflow.proposers.configurations import KernelMemory, known_runs, point_of, repeats
from paretoflow.spec.search import Axis
from tests.histories import history_of, problem_of, weighted

AXES = (
    Axis("learning_rate", "method", 1e-4, 1e-2, log=True),
    Axis("rank", "lora", whole=True, choices=(4, 8, 16)),
)


def test_a_run_without_the_axes_is_no_point_of_the_model() -> None:
    settings = (("learning_rate", 1e-3), ("rank", 4))
    launches = [replace(weighted(w), settings=settings) for w in ((1, 0), (0, 1))]
    rows = [(0, (1, 0)), (1, (0, 1)), (2, (0.9, 0.9))]
    history = history_of(problem_of(2), [*launches, weighted((0.3, 0.7))], rows)
    known = known_runs(history, AXES, KernelMemory())
    assert known.points.shape == known.taken.shape == (2, 4)
    assert known.others == pytest.approx(np.array([[0.9, 0.9]]))
    assert known_runs(history, (), KernelMemory()).points.shape == (3, 2)


def test_a_point_is_weights_and_places_by_hand() -> None:
    assert point_of(WeightVector((0.7, 0.3)), (("rank", 8),), AXES[1:]).tolist() == [0.7, 0.3, 0.5]
    taken = np.array([[0.7, 0.3, 0.5]])
    near = np.array([[0.7004, 0.2996, 0.5], [0.7, 0.3, 5 / 6]])
    assert repeats(near, taken).tolist() == [True, False]
    assert repeats(near, taken[:0]).tolist() == [False, False]


def test_the_memory_of_kernels_changes_no_answer() -> None:
    rng, memory = np.random.default_rng(0), KernelMemory()
    points, gains = rng.random((13, 3)), rng.random((13, 2))
    where = rng.random((5, 3))
    for count in (3, 4, 9, 11, 12, 13, 10):
        part = (points[:count], gains[:count], np.full((count, 2), 0.1))
        kept, anew = memory.model_of(*part), KernelMemory().model_of(*part)
        assert (kept.predicted(where)[0] == anew.predicted(where)[0]).all()
        assert len(kept.attained()) == count
