"""The results of a checkpoint: its points scored, and made durable.

A checkpoint gives one point, or one for each preference that it serves. Its trainer may give the
scores itself; they are looked over and taken as they are. A row goes into a fragment, the answers
into a file beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from paretoflow import __version__
from paretoflow.core.cost import Cost
from paretoflow.core.errors import MethodError
from paretoflow.core.ids import digest_of_folder
from paretoflow.core.launch import AdapterRef, Launch, PriorEvaluation
from paretoflow.core.protocols import Checkpoint, GivenScores, Served
from paretoflow.core.values import BASE_RUN_ID, FloatArray, WeightVector
from paretoflow.data.prompts import PromptSets
from paretoflow.engine.runtime.run_files import RunFiles
from paretoflow.engine.state.events import ScoredCheckpoint, evaluated, finished
from paretoflow.ledger.fragments import write_fragment
from paretoflow.ledger.tables import Event
from paretoflow.scoring.answers import answers_path, write_answers
from paretoflow.scoring.evaluate import EvaluationResult
from paretoflow.storage import Folder

if TYPE_CHECKING:
    from paretoflow.scoring.evaluate import Evaluator

NO_DECODING: Mapping[str, float | int] = MappingProxyType({})
_SAME_MEAN = 1e-6
"""Relative difference allowed between a given score and the mean of its prompts."""


@dataclass(frozen=True)
class EvaluatedPoint:
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
) -> Iterator[EvaluatedPoint]:
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
            raise MethodError(
                "a checkpoint gives scores and serves several preferences; either",
                code="training-scores",
            )
        result = _given(checkpoint.given, m)
        yield EvaluatedPoint(None, _plain(checkpoint.weights), result, {"given": True})
    elif not checkpoint.served:
        result = evaluator.evaluate(checkpoint.model, checkpoint.weights)
        progress()
        payload: dict[str, Any] = {"condition": dict(decoding)} if decoding else {}
        if checkpoint.effective is not None:
            payload["effective_weights"] = list(_plain(checkpoint.effective))
        if checkpoint.constraint is not None:
            payload["constraint"] = dict(checkpoint.constraint)
        yield EvaluatedPoint(None, _plain(checkpoint.weights), result, payload)
    else:
        for number, served in enumerate(checkpoint.served):
            weights = _weights(served, number, m)
            result = evaluator.evaluate(checkpoint.model, served.weights, served)
            progress()
            condition = {**served.condition, **decoding}
            yield EvaluatedPoint(number, weights, result, {"condition": condition})


def _weights(served: Served, number: int, m: int) -> tuple[float, ...]:
    weights = np.asarray(served.weights, dtype=np.float64)
    if weights.shape != (m,):
        raise MethodError(
            f"preference {number} has weights of shape {weights.shape}; allowed: ({m},)",
            code="training-scores",
        )
    return WeightVector(_plain(weights)).values


def _given(given: GivenScores, m: int) -> EvaluationResult:
    """Return scores that a trainer measured as if they had been evaluated, without answers."""
    prompts = np.asarray(given.prompt_scores, dtype=np.float64)
    if prompts.ndim != 2 or prompts.shape[0] != m or prompts.shape[1] == 0:
        raise MethodError(
            f"got scores of prompts of shape {prompts.shape}; allowed: ({m}, n), a row for each "
            "objective and a column for each prompt, at least one",
            code="training-scores",
        )
    means = prompts.mean(axis=1)
    for name, values in (("scores", given.scores), ("standard errors", given.stderr)):
        if np.shape(values) != (m,):
            raise MethodError(
                f"got {name} of shape {np.shape(values)}; allowed: ({m},)", code="training-scores"
            )
    scores = np.asarray(given.scores, dtype=np.float64)
    stderr = np.asarray(given.stderr, dtype=np.float64)
    for name, bad in (
        ("scores", not np.isfinite(scores).all()),
        ("scores of prompts", not np.isfinite(prompts).all()),
        ("standard errors", bool(np.isinf(stderr).any() or (stderr < 0).any())),
    ):
        if bad:
            raise MethodError(
                f"the trainer's {name} are not all finite, or below zero", code="training-scores"
            )
    if not np.allclose(scores, means, rtol=_SAME_MEAN, atol=1e-9):
        raise MethodError(
            f"the trainer's scores {scores.tolist()} are not the means of its scores of prompts, "
            f"{means.tolist()}",
            code="training-scores",
        )
    return EvaluationResult(means, stderr, prompts, (), {}, tokens=0, wall_s=0.0)


def _plain(weights: FloatArray) -> tuple[float, ...]:
    return tuple(float(w) for w in weights)


@dataclass(frozen=True)
class Results:
    """Writes what the first rank of a worker group measures.

    Args:
        folder: The sweep's.
        names: Of the m objectives.
        model: SHA-256 of the base.
        ranks: Of the worker group: all wait while one evaluates.
        inputs: SHA-256 of what scores depend on.
    """

    folder: Folder
    files: RunFiles
    prompts: PromptSets
    names: Sequence[str]
    model: str
    ranks: int
    inputs: str

    def of_base(self, result: EvaluationResult, notes: Sequence[str] = ()) -> Event:
        """Return the row of the base, its answers written; `notes` are to be told with it."""
        cost = Cost(result.wall_s, result.wall_s, result.tokens)
        told = {"notes": list(notes)} if notes else {}
        return self._row((BASE_RUN_ID, 0, 0), EvaluatedPoint(None, (), result, told), cost=cost)

    def of_checkpoint(
        self, launch: Launch, checkpoint: Checkpoint, points: Sequence[EvaluatedPoint], early: str
    ) -> tuple[Event, ...]:
        """Write the rows of a checkpoint, all in one fragment; the first bears the training.

        `early` says why the run has finished with a checkpoint that is not its last.
        """
        path, digest = self.files.name(checkpoint.folder), digest_of_folder(checkpoint.folder)
        events = []
        for number, point in enumerate(points):
            evaluation = self._evaluation_cost(point.result)
            cost = evaluation if number else checkpoint.cost + evaluation
            where = (launch.run_id, launch.attempt, checkpoint.step)
            events.append(
                self._row(where, point, cost=cost, path=path, digest=digest, weights=point.weights)
            )
        for folder in filter(None, (checkpoint.folder, checkpoint.state)):
            self.files.keep(folder)
        if checkpoint.final or early:
            events.append(finished(launch.run_id, launch.attempt, time.time(), early))
        return self._written(events)

    def of_known(
        self, launch: Launch, known: PriorEvaluation, result: EvaluationResult
    ) -> tuple[Event, ...]:
        """Write the row of a further evaluation, which names its checkpoint, with the run's end."""
        weights = launch.proposal.weights.values
        parent = launch.parent or AdapterRef("", "")
        row = self._row(
            (launch.run_id, launch.attempt, known.step),
            EvaluatedPoint(None, weights, result, {"draw": known.number}),
            known,
            cost=self._evaluation_cost(result),
            path=parent.path,
            digest=parent.digest,
            weights=weights,
        )
        return self._written([row, finished(launch.run_id, launch.attempt, time.time())])

    def _written(self, events: Sequence[Event]) -> tuple[Event, ...]:
        self.files.patiently(lambda: write_fragment(self.folder, events))
        return tuple(events)

    def _evaluation_cost(self, result: EvaluationResult) -> Cost:
        return Cost(result.wall_s, result.wall_s * self.ranks, result.tokens)

    def _row(
        self,
        where: tuple[str, int, int],
        point: EvaluatedPoint,
        known: PriorEvaluation | None = None,
        **fields: Any,
    ) -> Event:
        """Return the row of a point of (run, attempt, step), its answers written first."""
        result = point.result
        name, draw = (known.snapshot_id, known.number) if known else ("", 0)
        scores = result.scores, result.stderr, result.prompt_scores
        measured = ScoredCheckpoint(*where, *scores, point.condition, name)
        path = answers_path(self.folder, measured.snapshot_id, draw)
        if result.completions:
            self.files.patiently(lambda: write_answers(path, self.prompts.eval, self.names, result))
        own = dict(point.payload)
        shares = zip(self.names, own.pop("effective_weights", ()), strict=False)
        acted = {f"effective_weight/{name}": share for name, share in shares}
        payload = {
            "diagnostics": {**result.diagnostics, **acted},
            "model": self.model,
            "data": "" if point.payload.get("given") else self.prompts.digest,
            "inputs": self.inputs,
            "code": __version__,
            **own,
        }
        return evaluated(measured, time_s=time.time(), payload=payload, **fields)
