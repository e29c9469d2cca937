"""The points that a checkpoint gives: an evaluation for each preference that it serves.

Or the scores that its trainer measured itself, which are looked over and taken as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from paretoflow.core.errors import MethodError
from paretoflow.core.protocols import Checkpoint, GivenScores, Served
from paretoflow.core.values import FloatArray, WeightVector
from paretoflow.scoring.evaluate import EvaluationResult

if TYPE_CHECKING:
    from paretoflow.scoring.evaluate import Evaluator

NO_DECODING: Mapping[str, float | int] = MappingProxyType({})
_SAME_MEAN = 1e-6
"""Relative difference allowed between a given score and the mean of its prompts."""


@dataclass(frozen=True)
class Point:
    """One row of a checkpoint.

    Args:
        condition: Number of the preference among those that are served; None where it is one.
        weights: The preference, length m.
        payload: What the row says beside the scores.
    """

    condition: int | None
    weights: tuple[float, ...]
    result: EvaluationResult
    payload: dict[str, Any]


def points_of(
    checkpoint: Checkpoint,
    evaluator: Evaluator,
    m: int,
    progress: Callable[[], None],
    decoding: Mapping[str, float | int] = NO_DECODING,
) -> Iterator[Point]:
    """Yield the points of a checkpoint, telling that there is progress after each.

    Where the evaluator draws answers otherwise than the sweep, `decoding` says how: whoever uses
    the adapter must be told.

    Raises:
        MethodError: If the checkpoint contradicts itself, or holds scores or weights of a wrong
            shape or not finite.
        DataError: If a prompt does not fit the model.
        ObjectiveError: If a scorer fails.
    """
    if checkpoint.given is not None:
        if checkpoint.served:
            raise MethodError("a checkpoint gives scores and serves several preferences; either")
        result = _given(checkpoint.given, m)
        yield Point(None, _plain(checkpoint.weights), result, {"given": True})
    elif not checkpoint.served:
        result = evaluator.evaluate(checkpoint.model, checkpoint.weights)
        progress()
        payload: dict[str, Any] = {"condition": dict(decoding)} if decoding else {}
        if checkpoint.effective is not None:
            payload["effective_weights"] = list(_plain(checkpoint.effective))
        if checkpoint.constraint is not None:
            payload["constraint"] = dict(checkpoint.constraint)
        yield Point(None, _plain(checkpoint.weights), result, payload)
    else:
        for number, served in enumerate(checkpoint.served):
            weights = _weights(served, number, m)
            result = evaluator.evaluate(checkpoint.model, served.weights, served)
            progress()
            condition = {**served.condition, **decoding}
            yield Point(number, weights, result, {"condition": condition})


def _weights(served: Served, number: int, m: int) -> tuple[float, ...]:
    weights = np.asarray(served.weights, dtype=np.float64)
    if weights.shape != (m,):
        raise MethodError(
            f"preference {number} has weights of shape {weights.shape}; allowed: ({m},)"
        )
    return WeightVector(_plain(weights)).values


def _given(given: GivenScores, m: int) -> EvaluationResult:
    """Return scores that a trainer measured as if they had been evaluated, without answers."""
    prompts = np.asarray(given.prompt_scores, dtype=np.float64)
    if prompts.ndim != 2 or prompts.shape[0] != m or prompts.shape[1] == 0:
        raise MethodError(
            f"got scores of prompts of shape {prompts.shape}; allowed: ({m}, n), a row for each "
            "objective and a column for each prompt, at least one"
        )
    means = prompts.mean(axis=1)
    for name, values in (("scores", given.scores), ("standard errors", given.stderr)):
        if np.shape(values) != (m,):
            raise MethodError(f"got {name} of shape {np.shape(values)}; allowed: ({m},)")
    scores = np.asarray(given.scores, dtype=np.float64)
    stderr = np.asarray(given.stderr, dtype=np.float64)
    for name, bad in (
        ("scores", not np.isfinite(scores).all()),
        ("scores of prompts", not np.isfinite(prompts).all()),
        ("standard errors", bool(np.isinf(stderr).any() or (stderr < 0).any())),
    ):
        if bad:
            raise MethodError(f"the trainer's {name} are not all finite, or below zero")
    if not np.allclose(scores, means, rtol=_SAME_MEAN, atol=1e-9):
        raise MethodError(
            f"the trainer's scores {scores.tolist()} are not the means of its scores of prompts, "
            f"{means.tolist()}"
        )
    return EvaluationResult(means, stderr, prompts, (), {}, tokens=0, wall_s=0.0)


def _plain(weights: FloatArray) -> tuple[float, ...]:
    return tuple(float(w) for w in weights)
