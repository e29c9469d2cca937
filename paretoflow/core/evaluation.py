"""The scores of one policy on one set of prompts: one value from the evaluator to the front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from paretoflow.core.cost import Cost
from paretoflow.core.ids import snapshot_id_of
from paretoflow.core.values import BASE_RUN_ID, FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """What one policy scored on n prompts, by m objectives, and where it comes from.

    An evaluator, a trainer or an oracle fills in what it measured; the executor names it (`named`)
    and says where the adapter lies. The ledger keeps it as a row: `engine.state.events` has both
    conversions. Scores are raw, in the user's units, float64.

    Args:
        scores: Means over the prompts, shape (m,).
        stderr: Standard error of each mean, shape (m,); nan where nothing tells it.
        prompt_scores: Score of every prompt, shape (m, n); shape (0,) where none were kept.
        n: Number of prompts.
        diagnostics: Always-on extras: `kl`, `length_tokens`, `ranking_accuracy`, …
        cost: Training since the run's previous checkpoint, plus this evaluation.
        completions: Answers in the order of the prompts, length n; empty once they are in a file.
        snapshot_id: Name of the checkpoint; empty until it is named.
        run_id: The run that this comes from, `base` for the base; `attempt` and `step` likewise.
        weights: Weights in force when the checkpoint was saved, or those that it was asked for,
            length m; None for the base.
        number: Which preference it is, of those that its adapter serves; None where it serves one.
        condition: How the adapter is asked for this preference, JSON-able; None where it serves
            one.
        constraint: What a constrained run found of its thresholds on the validation prompts,
            JSON-able; None where it did not look. Written to the ledger, not read back.
        path: Adapter folder relative to the sweep's root; empty for the base.
        digest: SHA-256 of that folder.
        data: SHA-256 of the prompts; empty where none is known.
        inputs: SHA-256 of what the scores depend on; empty where it was not noted.
        model: SHA-256 of the base. Written to the ledger, not read back; `code` likewise.
        code: Version of the code that scored it.
        given: Whether a trainer measured it itself.
        draw: Which further evaluation of its checkpoint it is, counting from 1; 0 for the first.
        draws: Answers to each prompt that the scores are means over; more than one where the
            checkpoint was evaluated again, whose cost is counted here too.
        notes: What was found out before it, a sentence each; of the base alone.
        at_s: Seconds since the sweep was opened first.
    """

    scores: FloatArray
    stderr: FloatArray
    prompt_scores: FloatArray
    n: int
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    completions: tuple[str, ...] = ()
    snapshot_id: str = ""
    run_id: str = ""
    attempt: int = 0
    step: int = 0
    weights: tuple[float, ...] | None = None
    number: int | None = None
    condition: Mapping[str, Any] | None = None
    constraint: Mapping[str, Any] | None = None
    path: str = ""
    digest: str = ""
    data: str = ""
    inputs: str = ""
    model: str = ""
    code: str = ""
    given: bool = False
    draw: int = 0
    draws: int = 1
    notes: tuple[str, ...] = ()
    at_s: float = 0.0

    @classmethod
    def of_prompts(cls, prompt_scores: FloatArray, **known: Any) -> Evaluation:
        """Return what scores of n prompts, shape (m, n), say: their means with standard errors.

        Args:
            prompt_scores: Raw.
            **known: Other fields.
        """
        return cls(
            scores=prompt_scores.mean(axis=1),
            stderr=standard_errors(prompt_scores),
            prompt_scores=prompt_scores,
            n=prompt_scores.shape[1],
            **known,
        )

    def named(self, run_id: str, attempt: int, step: int, known: str = "") -> Evaluation:
        """Return it as that of a checkpoint.

        Args:
            run_id: The run, or `base`.
            attempt: Of the run.
            step: Optimiser steps done.
            known: Name of the checkpoint if it was evaluated before; empty for one of the run's
                own.
        """
        own = snapshot_id_of(run_id, attempt, step, self.number)
        name = known or (BASE_RUN_ID if run_id == BASE_RUN_ID else own)
        return replace(self, snapshot_id=name, run_id=run_id, attempt=attempt, step=step)

    def ordered(self, order: list[int]) -> Evaluation:
        """Return it with the objectives in another order; weights do not go with them."""
        prompts = self.prompt_scores
        return replace(
            self,
            scores=self.scores[order],
            stderr=self.stderr[order],
            prompt_scores=prompts[order] if prompts.ndim == 2 else prompts,
            weights=None,
        )

    @property
    def identity(self) -> tuple[object, ...]:
        """Return what makes a point the same in two fronts: its name, weights and scores."""
        return self.snapshot_id, self.digest, tuple(self.scores.tolist())

    def __eq__(self, other: object) -> bool:
        """Compare every field, arrays by value."""
        if not isinstance(other, Evaluation):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    def __hash__(self) -> int:
        """Hash what names it."""
        return hash(self.identity)


def standard_errors(prompt_scores: FloatArray) -> FloatArray:
    """Return the standard errors of means over n prompts, shape (m, n) to (m,); nan for one prompt.

    By hand: scores 0 and 1 have the error sqrt(.5) / sqrt(2) = .5.
    """
    m, n = prompt_scores.shape
    if n < 2:
        return np.full(m, np.nan)
    return np.asarray(prompt_scores.std(axis=1, ddof=1) / np.sqrt(n))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b, equal_nan=True)
    return bool(a == b)
