"""Calls an oracle for the checkpoints of an attempt, checks them, and keeps their states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paretoflow.core.cost import Cost
from paretoflow.core.errors import ObjectiveError, PluginError
from paretoflow.core.evaluation import Evaluation, standard_errors
from paretoflow.core.ids import rng_of, snapshot_id_of
from paretoflow.core.launch import Launch
from paretoflow.core.values import BASE_RUN_ID, FloatArray, Problem
from paretoflow.engine.oracles import (
    AnyOracle,
    Evaluating,
    OracleCheckpoint,
    Reevaluating,
    Snapshot,
    Training,
    TrainingTask,
    WithBase,
)


@dataclass(frozen=True)
class CheckedPoint:
    """One checked checkpoint of an oracle.

    Args:
        evaluation: Evaluation without a name; its cost is in virtual seconds. Without prompts, the
            scores themselves are the scores of one prompt, n = 1.
        state: State from the oracle.
    """

    evaluation: Evaluation
    state: Any = None


@dataclass
class Answers:
    """Calls an oracle, and keeps the states of its checkpoints.

    Args:
        oracle: The oracle.
        problem: The objectives.
        seed: Seed of the sweep.
    """

    oracle: AnyOracle
    problem: Problem
    seed: int
    _states: dict[str, Any] = field(default_factory=dict)
    _prompts: int | None = None

    def of_base(self) -> CheckedPoint | None:
        """Return the evaluation of the base; None where the oracle has none.

        Raises:
            ObjectiveError: If its score vector is not full and finite.
        """
        if not isinstance(self.oracle, WithBase):
            return None
        rng = rng_of("oracle", self.seed, BASE_RUN_ID)
        point = self._checked(self.oracle.base(self.problem, rng), BASE_RUN_ID)
        self._states[BASE_RUN_ID] = point.state
        return point

    def of(self, launch: Launch) -> list[CheckedPoint]:
        """Return the checkpoints of an attempt.

        Raises:
            ObjectiveError: If there is no checkpoint, or one without a full, finite score vector.
            PluginError: If the oracle cannot evaluate a checkpoint again, or the state of a parent
                is missing.
        """
        answer = self._asked(launch, rng_of("oracle", self.seed, launch.run_id, launch.attempt))
        points = [self._checked(checkpoint, launch.run_id) for checkpoint in answer]
        if not points:
            raise ObjectiveError("the oracle returned no checkpoint", launch.run_id)
        if launch.known is None:
            for step, point in enumerate(points, 1):
                name = snapshot_id_of(launch.run_id, launch.attempt, step)
                self._states[name] = point.state
        return points

    def _asked(self, launch: Launch, rng: np.random.Generator) -> Sequence[Any]:
        oracle, proposal, known = self.oracle, launch.proposal, launch.known
        if not isinstance(oracle, Training):
            return [self._again(launch, rng)] if known else oracle.launch(proposal, rng)
        if known is None:
            merge = proposal.merge
            mixed = () if merge is None else tuple(self._state(p) for p in merge.parents)
            start = None if proposal.parent in (None, BASE_RUN_ID) else proposal.parent
            state = None if start is None else self._state(start)
            task = TrainingTask(self.problem, launch.run_id, launch.attempt, proposal, state, mixed)
            return oracle.train(task, rng)
        if not isinstance(oracle, Evaluating):
            raise _cannot_evaluate(oracle, launch, "evaluate(snapshot, rng)")
        name = known.snapshot_id
        return [oracle.evaluate(Snapshot(name, self._state(name)), rng)]

    def _again(self, launch: Launch, rng: np.random.Generator) -> tuple[Any, ...]:
        known = launch.known
        assert known is not None
        if not isinstance(self.oracle, Reevaluating) or known.proposal is None:
            raise _cannot_evaluate(self.oracle, launch, "reevaluate(proposal, step, rng, noise)")
        then = rng_of("oracle", self.seed, known.run_id, known.attempt)
        return self.oracle.reevaluate(known.proposal, known.step, then, rng)

    def _state(self, name: str) -> Any:
        if name not in self._states:
            raise PluginError(
                f"the state of {name} is not here",
                name,
                "states of a simulation live in one process: simulate the sweep in one go",
            )
        return self._states[name]

    def _checked(self, told: Any, run_id: str) -> CheckedPoint:
        point = checked(told, self.problem, run_id)
        count = point.evaluation.n
        if self._prompts not in (None, count):
            raise ObjectiveError(
                f"the oracle returned scores of {count} prompts, and of {self._prompts} before",
                run_id,
                "score every checkpoint on the same prompts",
                code="objective-shape",
            )
        self._prompts = count
        return point


def _cannot_evaluate(oracle: AnyOracle, launch: Launch, method: str) -> PluginError:
    assert launch.known is not None
    return PluginError(
        f"{type(oracle).__name__} cannot evaluate {launch.known.snapshot_id} again",
        launch.run_id,
        f"give it a method {method}",
    )


def checked(told: Any, problem: Problem, run_id: str) -> CheckedPoint:
    """Check a checkpoint that an oracle returned.

    By hand: two prompts scored 0 and 1 have the mean .5 with the error sqrt(.5) / sqrt(2) = .5.

    Args:
        told: An `OracleCheckpoint`, or (cost, scores), optionally followed by standard errors.
        problem: The objectives.
        run_id: Run for error messages.

    Raises:
        ObjectiveError: If the score vector is not of length m and finite, or the cost is invalid.
    """
    point = told if isinstance(told, OracleCheckpoint) else _from_tuple(told)
    prompts = None if point.prompt_scores is None else _array(point.prompt_scores)
    if prompts is not None and (prompts.ndim != 2 or not prompts.size or len(prompts) != problem.m):
        raise ObjectiveError(
            f"the oracle returned prompt scores of shape {prompts.shape}, not ({problem.m}, n)",
            run_id,
            code="objective-shape",
        )
    if point.scores is None and prompts is None:
        raise ObjectiveError(
            "the oracle returned a checkpoint without scores", run_id, code="objective-shape"
        )
    scores = prompts.mean(axis=1) if point.scores is None and prompts is not None else None
    scores = _array(point.scores) if scores is None else scores
    stderr = _errors(prompts, problem.m) if point.stderr is None else _array(point.stderr)
    if scores.shape != (problem.m,) or stderr.shape != (problem.m,):
        raise ObjectiveError(
            f"the oracle returned scores of shape {scores.shape}, not ({problem.m},)",
            run_id,
            code="objective-shape",
        )
    rows = scores[:, None] if prompts is None else prompts
    whole = np.isfinite(scores) & np.isfinite(rows).all(axis=1)
    bad = [n for n, w in zip(problem.names, whole, strict=True) if not w]
    if bad or not np.isfinite(point.cost) or point.cost < 0:
        raise ObjectiveError(
            f"the oracle returned a non-finite score for {', '.join(bad) or 'cost'}",
            run_id,
            code="objective-not-finite",
        )
    cost = Cost(float(point.cost), float(point.cost))
    found = Evaluation(scores=scores, stderr=stderr, prompt_scores=rows, n=rows.shape[1], cost=cost)
    return CheckedPoint(found, point.state)


def _from_tuple(told: tuple[Any, ...]) -> OracleCheckpoint:
    cost, scores, *rest = told
    return OracleCheckpoint(cost, scores, rest[0] if rest else None)


def _errors(prompts: FloatArray | None, m: int) -> FloatArray:
    """Return standard errors of means over prompts, shape (m,); 0 where they are unknown."""
    if prompts is None or prompts.shape[1] < 2:
        return np.zeros(m)
    return standard_errors(prompts)


def _array(values: Any) -> FloatArray:
    return np.asarray(values, dtype=np.float64)
