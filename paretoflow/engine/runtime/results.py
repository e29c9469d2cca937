"""The results of a checkpoint: scores its points and makes them durable.

A checkpoint gives one point, or one for each preference that it serves. Its trainer may give the
scores itself; they are checked and used unchanged. A row goes into a fragment, the answers into a
file beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from paretoflow import __version__
from paretoflow.core.cost import Cost
from paretoflow.core.errors import MethodError
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.ids import digest_of_folder
from paretoflow.core.launch import AdapterRef, Launch, PriorEvaluation
from paretoflow.core.protocols import Checkpoint, Served
from paretoflow.core.values import BASE_RUN_ID, FloatArray, WeightVector
from paretoflow.data.prompts import PromptSets
from paretoflow.engine.runtime.run_files import RunFiles
from paretoflow.engine.state.events import evaluated, finished
from paretoflow.ledger.fragments import write_fragment
from paretoflow.ledger.tables import Event
from paretoflow.scoring.answers import answers_path, write_answers
from paretoflow.storage import Folder

if TYPE_CHECKING:
    from paretoflow.scoring.evaluate import Evaluator

NO_DECODING: Mapping[str, float | int] = MappingProxyType({})
_SAME_MEAN = 1e-6
"""Relative difference allowed between a given score and the mean of its prompts."""


def points_of(
    checkpoint: Checkpoint,
    evaluator: Evaluator,
    names: Sequence[str],
    progress: Callable[[], None],
    decoding: Mapping[str, float | int] = NO_DECODING,
) -> Iterator[Evaluation]:
    """Yield the evaluations of a checkpoint, without its name, reporting progress after each.

    Where the evaluator draws answers with other settings than the sweep, `decoding` has them: users
    of the adapter need them.

    Raises:
        MethodError: If the checkpoint contradicts itself, or holds scores or weights that have a
            wrong shape or are not finite.
        DataError: If a prompt does not fit the model.
        ObjectiveError: If a scorer fails.
    """
    weights = _plain(checkpoint.weights)
    if checkpoint.given is not None:
        if checkpoint.served:
            raise MethodError(
                "a checkpoint gives scores and serves several preferences; either",
                code="training-scores",
            )
        yield replace(_given(checkpoint.given, len(names)), weights=weights)
    elif not checkpoint.served:
        result = evaluator.evaluate(checkpoint.model, checkpoint.weights)
        progress()
        yield replace(
            result,
            weights=weights,
            condition=dict(decoding) if decoding else None,
            constraint=checkpoint.constraint,
            diagnostics={**result.diagnostics, **_effective(checkpoint, names)},
        )
    else:
        for number, served in enumerate(checkpoint.served):
            asked = _weights(served, number, len(names))
            result = evaluator.evaluate(checkpoint.model, served.weights, served)
            progress()
            condition = {**served.condition, **decoding}
            yield replace(result, weights=asked, number=number, condition=condition)


def _effective(checkpoint: Checkpoint, names: Sequence[str]) -> dict[str, float]:
    shares = () if checkpoint.effective is None else checkpoint.effective.tolist()
    return {f"effective_weight/{name}": share for name, share in zip(names, shares, strict=False)}


def _weights(served: Served, number: int, m: int) -> tuple[float, ...]:
    weights = np.asarray(served.weights, dtype=np.float64)
    if weights.shape != (m,):
        raise MethodError(
            f"preference {number} has weights of shape {weights.shape}; allowed: ({m},)",
            code="training-scores",
        )
    return WeightVector(_plain(weights)).values


def _given(given: Evaluation, m: int) -> Evaluation:
    """Check a trainer's own evaluation; return it with its scores as means over its prompts."""
    prompts = given.prompt_scores
    if prompts.ndim != 2 or prompts.shape[0] != m or prompts.shape[1] == 0:
        raise MethodError(
            f"got scores of prompts of shape {prompts.shape}; allowed: ({m}, n), a row for each "
            "objective and a column for each prompt, at least one",
            code="training-scores",
        )
    means = prompts.mean(axis=1)
    for name, values in (("scores", given.scores), ("standard errors", given.stderr)):
        if values.shape != (m,):
            raise MethodError(
                f"got {name} of shape {values.shape}; allowed: ({m},)", code="training-scores"
            )
    stderr = given.stderr
    for name, bad in (
        ("scores", not np.isfinite(given.scores).all()),
        ("scores of prompts", not np.isfinite(prompts).all()),
        ("standard errors", bool(np.isinf(stderr).any() or (stderr < 0).any())),
    ):
        if bad:
            raise MethodError(
                f"the trainer's {name} are not all finite, or below zero", code="training-scores"
            )
    if not np.allclose(given.scores, means, rtol=_SAME_MEAN, atol=1e-9):
        raise MethodError(
            f"the trainer's scores {given.scores.tolist()} are not the means of its scores of "
            f"prompts, {means.tolist()}",
            code="training-scores",
        )
    return replace(given, scores=means, n=prompts.shape[1], given=True)


def _plain(weights: FloatArray) -> tuple[float, ...]:
    return tuple(float(w) for w in weights)


@dataclass(frozen=True)
class Results:
    """Writes the evaluations of a worker group's first worker.

    Args:
        folder: Folder of the sweep.
        names: Names of the m objectives.
        model: SHA-256 of the base.
        ranks: Number of workers of the group: all wait while one evaluates.
        inputs: SHA-256 of the inputs that scores depend on.
    """

    folder: Folder
    files: RunFiles
    prompts: PromptSets
    names: Sequence[str]
    model: str
    ranks: int
    inputs: str

    def of_base(self, result: Evaluation, notes: Sequence[str] = ()) -> Event:
        """Write the answers of the base and return its row, with `notes` to report."""
        return self._row(replace(result, notes=tuple(notes)).named(BASE_RUN_ID, 0, 0))

    def of_checkpoint(
        self, launch: Launch, checkpoint: Checkpoint, points: Sequence[Evaluation], early: str
    ) -> tuple[Event, ...]:
        """Write the rows of a checkpoint, all in one fragment; the first has the cost of training.

        `early` is the reason why the run finishes with a checkpoint that is not its last.
        """
        path, digest = self.files.name(checkpoint.folder), digest_of_folder(checkpoint.folder)
        events = []
        for number, point in enumerate(points):
            own = self._over_ranks(point.cost)
            cost = own if number else checkpoint.cost + own
            named = point.named(launch.run_id, launch.attempt, checkpoint.step)
            events.append(self._row(replace(named, cost=cost, path=path, digest=digest)))
        for folder in filter(None, (checkpoint.folder, checkpoint.state)):
            self.files.keep(folder)
        if checkpoint.final or early:
            events.append(finished(launch.run_id, launch.attempt, time.time(), early))
        return self._written(events)

    def of_known(
        self, launch: Launch, known: PriorEvaluation, result: Evaluation
    ) -> tuple[Event, ...]:
        """Write the row of a re-evaluation, which names its checkpoint, with the run's end."""
        parent = launch.parent or AdapterRef("", "")
        whole = replace(
            result,
            weights=launch.proposal.weights.values,
            draw=known.number,
            cost=self._over_ranks(result.cost),
            path=parent.path,
            digest=parent.digest,
        )
        named = whole.named(launch.run_id, launch.attempt, known.step, known.snapshot_id)
        end = finished(launch.run_id, launch.attempt, time.time())
        return self._written([self._row(named), end])

    def _written(self, events: Sequence[Event]) -> tuple[Event, ...]:
        self.files.patiently(lambda: write_fragment(self.folder, events))
        return tuple(events)

    def _over_ranks(self, cost: Cost) -> Cost:
        """Return the cost of an evaluation over all workers, which waited for it."""
        return Cost(cost.wall_s, cost.device_s * self.ranks, cost.tokens)

    def _row(self, evaluation: Evaluation) -> Event:
        """Write the answers of a named evaluation and return its row."""
        path = answers_path(self.folder, evaluation.snapshot_id, evaluation.draw)
        if evaluation.completions:
            self.files.patiently(
                lambda: write_answers(path, self.prompts.eval, self.names, evaluation)
            )
        whole = replace(
            evaluation,
            model=self.model,
            data="" if evaluation.given else self.prompts.digest,
            inputs=self.inputs,
            code=__version__,
        )
        return evaluated(whole, time.time())
