"""What a gang measured, made durable: a row in a fragment, the answers in a file beside it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paretoflow import __version__
from paretoflow.core.cost import Cost
from paretoflow.core.ids import digest_of_folder
from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import BASE_RUN_ID
from paretoflow.data.prompts import PromptSets
from paretoflow.engine.messages import Known, Launch
from paretoflow.engine.runtime.points import Point
from paretoflow.engine.runtime.run_files import RunFiles
from paretoflow.engine.state.happenings import Measured, evaluated, finished
from paretoflow.ledger.fragments import write_fragment
from paretoflow.ledger.tables import Event
from paretoflow.scoring.evaluate import EvaluationResult, answers_path, write_answers
from paretoflow.storage import Folder


@dataclass(frozen=True)
class Results:
    """Writes what the first rank of a gang measures.

    Args:
        folder: The sweep's.
        names: Of the m objectives.
        model: SHA-256 of the base.
        ranks: Of the gang: all wait while one evaluates.
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
        return self._row((BASE_RUN_ID, 0, 0), Point(None, (), result, told), cost=cost)

    def of_checkpoint(
        self, launch: Launch, checkpoint: Checkpoint, points: Sequence[Point], early: str
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

    def of_known(self, launch: Launch, known: Known, result: EvaluationResult) -> tuple[Event, ...]:
        """Write the row of a further evaluation, which names its snapshot, with the run's end."""
        weights = launch.proposal.weights.values
        row = self._row(
            (launch.run_id, launch.attempt, known.step),
            Point(None, weights, result, {"draw": known.number}),
            known,
            cost=self._evaluation_cost(result),
            path=launch.parent_path,
            digest=known.digest,
            weights=weights,
        )
        return self._written([row, finished(launch.run_id, launch.attempt, time.time())])

    def _written(self, events: Sequence[Event]) -> tuple[Event, ...]:
        self.files.patiently(lambda: write_fragment(self.folder, events))
        return tuple(events)

    def _evaluation_cost(self, result: EvaluationResult) -> Cost:
        return Cost(result.wall_s, result.wall_s * self.ranks, result.tokens)

    def _row(
        self, where: tuple[str, int, int], point: Point, known: Known | None = None, **fields: Any
    ) -> Event:
        """Return the row of a point of (run, attempt, step), its answers written first."""
        result = point.result
        name, draw = (known.snapshot_id, known.number) if known else ("", 0)
        scores = result.scores, result.stderr, result.prompt_scores
        measured = Measured(*where, *scores, point.condition, name)
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
