"""The protocol of an oracle, which answers launches in a simulation, for authors of oracles.

An oracle is an object with one of two methods.

The short method is enough where a launch's result depends on the launch alone:

    launch(proposal, rng) -> [(cost, scores), …]

It is called once for every attempt of a run. `proposal` is a `core.values.Proposal`: its `weights`
(m,) behave as a numpy array. A constrained proposal also has `target` and `thresholds` (oriented:
larger is better), and `parent`, the name of the checkpoint that it starts from. A proposal that
mixes adapters has `merge`, with the names of its `parents` and their `coefficients`; its `weights`
are the preference that the mix represents. `rng` is a `numpy.random.Generator` that depends on the
sweep's seed, the run and the attempt alone. The answer lists the checkpoints in order: `cost` in
virtual seconds since the checkpoint before, `scores` the raw score vector, length m, in the order
of the spec's objectives. A third item, the standard errors, length m, may follow.

The long method also receives names, the state that training continues from, and prompts:

    train(task, rng) -> [OracleCheckpoint(cost, scores, prompt_scores, state), …]

`task` is a `TrainingTask`: the proposal, the names of the run and of its checkpoints, and the state
that the oracle itself returned with the checkpoint that the launch starts from, None for the base.
An oracle with `train` may have two more methods: `base(problem, rng) -> OracleCheckpoint` answers
for the untrained model, which is then evaluated as in a real sweep, and `evaluate(snapshot, rng) ->
OracleCheckpoint` evaluates a checkpoint again. By hand, a policy that learns one step at a time:

    class Steps:
        def train(self, task, rng):
            start = np.zeros(2) if task.start is None else task.start
            end = start + 0.1 * np.asarray(task.proposal.weights)
            per_prompt = end[:, None] + rng.normal(0, 0.05, (2, 48))
            return [OracleCheckpoint(60.0, prompt_scores=per_prompt, state=end)]

A non-finite score or an exception is a failed attempt. States are kept in memory without a copy, so
return a new one with each checkpoint. `engine.simulation.llm_like` is a complete oracle with the
long method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from paretoflow.core.ids import snapshot_id_of
from paretoflow.core.values import Problem, Proposal


@dataclass(frozen=True)
class OracleCheckpoint:
    """One checkpoint that an oracle returns.

    Args:
        cost: Virtual seconds since the checkpoint before.
        scores: Raw scores, shape (m,); None takes the means of `prompt_scores`.
        stderr: Standard errors of the scores, shape (m,); None takes those of the means over
            prompts, or 0 where there are no prompts.
        prompt_scores: Raw scores, shape (m, n), the same n prompts in the same order for every
            checkpoint of a sweep; None where there are no prompts.
        state: Any object; runs that start from this checkpoint receive it.
    """

    cost: float
    scores: Any = None
    stderr: Any = None
    prompt_scores: Any = None
    state: Any = None


Checkpoint = OracleCheckpoint
"""Former name of `OracleCheckpoint`, for older oracles."""


@dataclass(frozen=True)
class Snapshot:
    """A checkpoint to evaluate again: its name, and the state that the oracle returned with it."""

    name: str
    state: Any


@dataclass(frozen=True)
class TrainingTask:
    """One attempt of a run, the input of a training oracle.

    Args:
        problem: The objectives: names, directions, ranges, reference values.
        run_id: Name of the run.
        attempt: Number of the attempt, from 0; each attempt starts at the run's beginning.
        proposal: The proposal of the run.
        start: State of the checkpoint `proposal.parent`; None for the base.
        mixed: States of the parents of a merge launch, in the order of `proposal.merge.parents`.
    """

    problem: Problem
    run_id: str
    attempt: int
    proposal: Proposal
    start: Any = None
    mixed: tuple[Any, ...] = ()

    def name(self, step: int) -> str:
        """Return the name of a checkpoint in later launches; steps count from 1."""
        return snapshot_id_of(self.run_id, self.attempt, step)


class Oracle(Protocol):
    """Answers a launch with the checkpoints that a real run would have had."""

    def launch(self, proposal: Proposal, rng: np.random.Generator) -> Sequence[tuple[Any, ...]]:
        """Return (cost in seconds, raw scores) of every checkpoint, in order."""
        ...


@runtime_checkable
class Training(Protocol):
    """An oracle whose runs continue from checkpoints of other runs."""

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Return every checkpoint, in order."""
        ...


AnyOracle = Oracle | Training


@runtime_checkable
class WithBase(Protocol):
    """An oracle that can also evaluate the untrained model."""

    def base(self, problem: Problem, rng: np.random.Generator) -> OracleCheckpoint:
        """Return the base's evaluation; launches from the base have no start state."""
        ...


@runtime_checkable
class Evaluating(Protocol):
    """A training oracle that can also evaluate a checkpoint of a launch, or the base, again."""

    def evaluate(self, snapshot: Snapshot, rng: np.random.Generator) -> OracleCheckpoint:
        """Return another evaluation of a checkpoint on the same prompts."""
        ...


@runtime_checkable
class Reevaluating(Protocol):
    """An oracle with `launch` that can also evaluate a checkpoint of a launch again."""

    def reevaluate(
        self,
        proposal: Proposal,
        step: int,
        rng: np.random.Generator,
        noise: np.random.Generator,
    ) -> tuple[Any, ...]:
        """Evaluate a checkpoint again: return cost in seconds, raw scores, standard errors if any.

        Args:
            proposal: The proposal of the checkpoint's launch.
            step: Number of the checkpoint in its launch, counting from 1.
            rng: Generator in the same state as for that launch: the same draws make the same
                policy.
            noise: Generator for this evaluation alone.
        """
        ...
