"""The scores of one policy on one set of prompts, passed from the evaluator to the front."""

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
    """Scores of one policy on n prompts by m objectives, with their origin.

    An evaluator, a trainer or an oracle fills in the measurements. The executor adds the name
    (`named`) and the adapter's path. The ledger keeps an evaluation as a row; `engine.state.events`
    has both conversions. Scores are raw, in the user's units, float64.

    Args:
        scores: Means over the prompts, shape (m,).
        stderr: Standard error of each mean, shape (m,); nan where it is unknown.
        prompt_scores: Score of every prompt, shape (m, n); shape (0,) where none were kept.
        n: Number of prompts.
        diagnostics: Extra measurements that are always taken: `kl`, `length_tokens`,
            `ranking_accuracy`, …
        cost: Cost of training since the run's previous checkpoint, plus that of this evaluation.
        completions: Answers in the order of the prompts, length n; empty once they are in a file.
        snapshot_id: Name of the checkpoint; empty until `named` sets it.
        run_id: Run of the checkpoint, `base` for the base; `attempt` and `step` likewise.
        weights: Weights in force when the checkpoint was saved, or the preference that the adapter
            was conditioned on, length m; None for the base.
        number: Number of the preference among those that the adapter serves; None where it serves
            one.
        condition: Condition that selects this preference of the adapter, JSON-able; None where the
            adapter serves one.
        constraint: Findings of a constrained run about its thresholds on the validation prompts,
            JSON-able; None where it did not evaluate them. Written to the ledger, not read back.
        path: Adapter folder relative to the sweep's root; empty for the base.
        digest: SHA-256 of the adapter folder.
        data: SHA-256 of the prompts; empty where it is unknown.
        inputs: SHA-256 of the inputs that the scores depend on; empty where it was not noted.
        model: SHA-256 of the base. Written to the ledger, not read back; `code` likewise.
        code: Version of the code that computed the scores.
        given: Whether the trainer measured the scores itself.
        draw: Number of this re-evaluation of its checkpoint, counting from 1; 0 for the first
            evaluation.
        draws: Answers to each prompt that the scores average over; more than one where the
            checkpoint was evaluated again. `cost` then includes those evaluations.
        notes: Findings from before the evaluation, one sentence each; for the base alone.
        at_s: Seconds since the sweep was first opened.
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
        """Build an evaluation from scores of n prompts: their means with standard errors.

        Args:
            prompt_scores: Raw scores, shape (m, n).
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
        """Return the evaluation with the name of its checkpoint.

        Args:
            run_id: The run, or `base`.
            attempt: Attempt of the run.
            step: Optimiser steps done.
            known: Name of the checkpoint if it was evaluated before; empty for a checkpoint of this
                run.
        """
        own = snapshot_id_of(run_id, attempt, step, self.number)
        name = known or (BASE_RUN_ID if run_id == BASE_RUN_ID else own)
        return replace(self, snapshot_id=name, run_id=run_id, attempt=attempt, step=step)

    def ordered(self, order: list[int]) -> Evaluation:
        """Return the evaluation with its objectives in another order, without weights."""
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
        """Return the key that identifies a point across fronts: name, adapter digest and scores."""
        return self.snapshot_id, self.digest, tuple(self.scores.tolist())

    def __eq__(self, other: object) -> bool:
        """Compare every field, arrays by value."""
        if not isinstance(other, Evaluation):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    def __hash__(self) -> int:
        """Hash the identity."""
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
