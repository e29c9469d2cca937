"""The protocols between the parts of ParetoFlow.

Each part receives the others as arguments, typed by one of these protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from paretoflow.core.candidates import Candidates as Candidates
from paretoflow.core.candidates import Prompt as Prompt
from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.launch import AdapterRef, Launch
from paretoflow.core.values import FloatArray, History, Proposal


class Objective(Protocol):
    """Scores completions.

    Lifecycle: built once per worker group, called on whole batches from one thread. Returns raw
    scores: the spec has their direction. The caller checks length and finiteness and never passes
    on a partial vector.
    """

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return one raw score per completion, shape (b,).

        `completions[i]` answers `prompts[i]`.
        """
        ...


@runtime_checkable
class ReadsOn(Protocol):
    """An objective that reads an answer as the continuation of its prompt, with white space."""

    def score_as_sampled(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Score as `Objective.score` does, but answers exactly as they were sampled."""
        ...


@runtime_checkable
class ComparesWithBase(Protocol):
    """An objective that may compare an answer with the base's answer to the same prompt."""

    @property
    def wants_base(self) -> bool:
        """Return whether it does."""
        ...

    def compare_with(self, answers: Mapping[str, str]) -> None:
        """Set the base's answers, by the ids of their prompts, before anything is scored."""
        ...


class Proposer(Protocol):
    """Chooses the next launches.

    A pure function: the same history, pending set and seed give the same proposals. So the process
    that holds a proposer may die, and a sweep can be replayed. The planner calls it whenever a
    worker group is free; it never waits for a generation, and sees only complete, finite
    evaluations.
    """

    def propose(
        self, history: History, pending: Sequence[Proposal], count: int, seed: int
    ) -> list[Proposal]:
        """Return at most `count` proposals.

        Fewer proposals mean that nothing more is worth starting before a pending launch ends. An
        empty list with nothing pending means that the proposer is done.
        """
        ...


@dataclass(frozen=True)
class Parallel:
    """Rank of one worker in a group that trains a run together under DeepSpeed.

    Args:
        rank: Rank of the worker, from 0; rank 0 writes.
        ranks: Number of workers in the group.
        zero: ZeRO stage, which decides what is sharded over the workers; 0 shards nothing.
        offload: Keep the optimiser (and, at stage 3, the parameters) in CPU memory.
        wait_s: Longest time that workers wait for another, for instance for rank 0, which
            evaluates.
    """

    rank: int = 0
    ranks: int = 1
    zero: int = 0
    offload: bool = False
    wait_s: float = 7200.0

    @property
    def alone(self) -> bool:
        """Check whether training is plain, without DeepSpeed: one worker and no ZeRO stage."""
        return self.ranks == 1 and self.zero == 0


def _path_of(adapter: AdapterRef) -> Path:
    return Path(adapter.path)


@dataclass(frozen=True)
class AttemptContext:
    """One attempt for a method: the launch, and the executor's folders and callbacks.

    Every worker of a group gets the same context, except for its rank and its own disk.

    Args:
        launch: The launch, the same for all workers.
        folder: Existing folder for checkpoints and trainer state, empty at an attempt's start. With
            several workers, everything that is kept is in rank 0's folder; the other folders may be
            on other disks.
        adapter: Returns the folder of an adapter of the sweep on this machine, checked against its
            digest. The default takes the path as it is, for a method that runs from a plain shell.
        resume_from: Trainer state that an earlier attempt at this run saved; None starts from the
            beginning. Only rank 0 needs it.
        parallel: Rank in the worker group. With more than one worker or a ZeRO stage, RANK,
            WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT are in the environment before a
            process' first launch.
        should_stop: Called after each optimiser step. Once it returns true on one worker, the run
            saves its state and ends in `RunInterrupted`.
        stopping: Returns whether the run should stop, for a method that does not see its own steps;
            may be called at any time.
        should_finish: Called after each report but the last. Once it returns true on one worker,
            the run finishes with that checkpoint.
        log_step: Called on rank 0 after each optimiser step, before the step is checked, with the
            numbers that the trainer logged for it, finite or not.
    """

    launch: Launch
    folder: Path
    adapter: Callable[[AdapterRef], Path] = _path_of
    resume_from: Path | None = None
    parallel: Parallel = Parallel()
    should_stop: Callable[[], bool] | None = None
    stopping: Callable[[], bool] | None = None
    should_finish: Callable[[], bool] | None = None
    log_step: Callable[[int, Mapping[str, float]], None] | None = None

    def parent(self) -> Path | None:
        """Return the folder of the adapter to start from; None for a fresh one on the base.

        Raises:
            AdapterError: If the adapter is gone, or is not the one that was evaluated.
        """
        return None if self.launch.parent is None else self.adapter(self.launch.parent)


@dataclass(frozen=True)
class Served:
    """One preference that an artifact serves, with the condition that selects it.

    A method whose artifact serves a continuum of preferences returns several of these with a
    checkpoint. Each is evaluated and becomes a point of its own.

    Args:
        weights: The preference, shape (m,).
        condition: Condition for users of the artifact; JSON-able, for instance
            `{"prefix": "..."}` or `{"head_weights": [0.3, 0.7]}`.
        rewrite: Maps a prompt's text to the model's input; None leaves it. Scorers see the original
            prompt.
        policy: Maps the checkpoint's model to a context manager whose value answers under the
            condition, for instance with its heads mixed; None uses the model as it is.
        draws: Conditions of several answers, of which the one with the best standardised gains
            under `weights` is kept. Empty: one answer under the condition above.
    """

    weights: FloatArray
    condition: Mapping[str, Any]
    rewrite: Callable[[str], str] | None = None
    policy: Callable[[Any], AbstractContextManager[Any]] | None = None
    draws: tuple[Served, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """An adapter saved during training, for evaluation.

    Args:
        step: Optimiser steps done.
        folder: An ordinary PEFT adapter folder.
        final: Whether it is the run's last checkpoint.
        cost: Cost of training since the previous checkpoint, over all workers.
        weights: Weights in force when it was saved (a dual controller moves them), shape (m,).
        metrics: Training metrics of the trainer's log, for instance `loss`.
        model: The policy in memory, with the weights of `folder`; valid only during the report.
        state: Folder of the trainer state at this step, complete until the next one is saved; None
            for the final checkpoint.
        served: Preferences that it serves, each a point; empty where it serves `weights` alone.
        given: Scores that the trainer measured itself, on prompts of its own choice, to record
            instead of an evaluation; None evaluates.
        effective: Measured shares of the objectives in the training signal, on the simplex, shape
            (m,); None where the method cannot measure them.
        constraint: Findings of a constrained run about its thresholds on the validation prompts,
            JSON-able, see `methods.training.steering`; None where it did not evaluate them.
    """

    step: int
    folder: Path
    final: bool
    cost: Cost
    weights: FloatArray
    metrics: Mapping[str, float]
    model: Any = None
    state: Path | None = None
    served: tuple[Served, ...] = ()
    given: Evaluation | None = None
    effective: FloatArray | None = None
    constraint: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Capabilities:
    """Requirements and abilities of a method.

    `plugins` prints them, and `check` compares them with the spec.

    Args:
        paper: Author, year and identifier.
        data: Form of the training data: "pairs", "lists", "scored" or "prompts".
        serves: "point" or "continuum".
        distributed: "single" (one worker, no ZeRO), "ddp" (several workers, nothing sharded) or
            "zero" (several workers, any ZeRO stage).
        distributed_note: Differences with several workers, or the reason for a limit; empty for
            none.
        needs: Requirements beside data: "gradients" (one for each objective), "parents",
            "references" (reference answers), "groups" (annotators), "program".
        given: Human feedback that it can learn from: "pairs" (labelled pairs), "scored pairs"
            (labelled pairs, once the objectives have scored their answers) and "ratings".
    """

    paper: str
    kind: str
    data: str
    serves: str
    distributed: str
    launches: tuple[str, ...]
    distributed_note: str = ""
    needs: tuple[str, ...] = ()
    given: tuple[str, ...] = ()


class Method(Protocol):
    """An alignment algorithm: turns one launch into adapter checkpoints.

    It runs from a plain shell, without Ray.

    Lifecycle: built once per worker around a loaded base and the sweep's shared tables. `train` is
    called once for each launch, one after the other, and leaves the base unchanged. With several
    workers, all call `train` with the same launch, and all get every report.
    """

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        """Train, calling `report` with every checkpoint in order, the final one last.

        A run that resumes reports only the checkpoints after the step it resumes from. `report` may
        raise to stop the run; the method unloads its adapter and passes the exception on.

        Raises:
            NonFiniteLossError: If the loss, its gradient or the adapter is not finite.
            AdapterError: If an adapter to start from is gone or was changed.
            MethodError: If `resume_from` is incomplete or comes from another kind of worker group.
            RunInterrupted: After `should_stop` returned true and the state was saved.
        """
        ...
