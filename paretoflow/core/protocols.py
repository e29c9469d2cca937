"""The contracts between the parts.

Every collaborator is handed in as an argument typed by one of these.
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
    scores: what is better is the spec's business. Whoever calls it checks length and finiteness; a
    partial vector never leaves the caller.
    """

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return one raw score per completion, shape (b,).

        `prompts[i]` is what `completions[i]` answers.
        """
        ...


@runtime_checkable
class ReadsOn(Protocol):
    """An objective that reads an answer as it goes on from its prompt, white space included."""

    def score_as_sampled(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Score as `Objective.score` does, of answers as they were sampled."""
        ...


class Proposer(Protocol):
    """Chooses the next launches.

    A pure function: the same history, pending set and seed give the same answer, so the process
    that holds a proposer may die and a sweep can be replayed. It is asked whenever a worker group
    is free, never waits for a generation, and sees only complete, finite evaluations.
    """

    def propose(
        self, history: History, pending: Sequence[Proposal], count: int, seed: int
    ) -> list[Proposal]:
        """Return at most `count` proposals.

        Fewer means that nothing more is worth starting before a pending one ends; an empty list
        with nothing pending means that the proposer is done.
        """
        ...


@dataclass(frozen=True)
class Parallel:
    """One rank's place in a worker group that trains a run together under DeepSpeed.

    Args:
        rank: From 0; rank 0 writes.
        ranks: Processes in the worker group.
        zero: ZeRO stage: what is sharded over the ranks; 0 shards nothing.
        offload: Keep the optimiser (and, at stage 3, the parameters) in CPU memory.
        wait_s: Longest time that the ranks wait for one of them, as for the first, which evaluates.
    """

    rank: int = 0
    ranks: int = 1
    zero: int = 0
    offload: bool = False
    wait_s: float = 7200.0

    @property
    def alone(self) -> bool:
        """Return whether there is nothing to share: training is plain, without DeepSpeed."""
        return self.ranks == 1 and self.zero == 0


def _path_of(adapter: AdapterRef) -> Path:
    return Path(adapter.path)


@dataclass(frozen=True)
class AttemptContext:
    """One attempt as a method sees it: the launch, and what the executor gives beside it.

    Every worker of a group gets the same, but for its rank and its own disk.

    Args:
        launch: The message that all of them got.
        folder: Existing folder for checkpoints and trainer state, empty at an attempt's start. On
            several ranks all that is kept is in rank 0's; the others' may be on other disks.
        adapter: Finds an adapter of the sweep: its folder on this machine, checked against its
            digest. The default takes the path as it is, for a method that runs from a plain shell.
        resume_from: Trainer state that an earlier attempt at this run saved; None starts afresh. It
            need be there for rank 0 only.
        parallel: With more than one rank or a ZeRO stage: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR
            and MASTER_PORT are in the environment before a process' first launch.
        should_stop: Asked after each optimiser step; once one rank's says yes, the run saves its
            state and ends in `RunInterrupted`.
        stopping: Whether the run is to stop, for a method that does not see its own steps; may be
            asked at any time.
        should_finish: Asked after each report but the last; once one rank's says yes, the run has
            finished with that checkpoint.
    """

    launch: Launch
    folder: Path
    adapter: Callable[[AdapterRef], Path] = _path_of
    resume_from: Path | None = None
    parallel: Parallel = Parallel()
    should_stop: Callable[[], bool] | None = None
    stopping: Callable[[], bool] | None = None
    should_finish: Callable[[], bool] | None = None

    def parent(self) -> Path | None:
        """Return the folder of the adapter to start from; None for a fresh one on the base.

        Raises:
            AdapterError: If it is gone, or is not the one that was evaluated.
        """
        return None if self.launch.parent is None else self.adapter(self.launch.parent)


@dataclass(frozen=True)
class Served:
    """One preference that an artifact serves, and how to ask it for that.

    A method whose artifact serves a continuum of preferences gives several of these with a
    checkpoint; each is evaluated, and is a point of its own.

    Args:
        weights: The preference, shape (m,).
        condition: How to ask, for whoever uses the artifact; JSON-able, for instance
            `{"prefix": "..."}` or `{"head_weights": [0.3, 0.7]}`.
        rewrite: A prompt's text to the text that the model is given; None leaves it. Scorers see
            the prompt as it was.
        policy: The checkpoint's model to a context whose value answers under the condition, for
            instance with its heads mixed; None uses the model as it is.
        draws: Where one of several answers is chosen: how each of them is asked for. Kept is the
            one with the best standardised gains under `weights`. Empty: one answer, asked for as
            above.
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
        final: Whether it is the run's last.
        cost: Spent on training since the previous checkpoint, over all ranks.
        weights: Weights in force when it was saved (a dual controller moves them), shape (m,).
        metrics: Training metrics of the trainer's log, for instance `loss`.
        model: The policy in memory, with the weights of `folder`; valid only during the report.
        state: Folder of the trainer state at this step, whole, until the next one is saved; None
            for the final checkpoint.
        served: The preferences that it serves, each a point; empty where it serves `weights` alone.
        given: Scores that the trainer measured itself, on prompts of its own choice, to record
            instead of evaluating; None evaluates.
        effective: How the objectives really shared in what it learned from, on the simplex, shape
            (m,); None where the method cannot say.
        constraint: What a constrained run found of its thresholds on the validation prompts,
            JSON-able, see `methods.training.steering`; None where it did not look.
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
    """What a method needs, serves and can do.

    `plugins` prints it and `check` compares it with the spec.

    Args:
        paper: Author, year and identifier.
        data: What it learns from: "pairs", "lists", "scored" or "prompts".
        serves: "point" or "continuum".
        distributed: "single" (one rank, no ZeRO), "ddp" (several ranks, nothing sharded) or "zero"
            (several ranks, any ZeRO stage).
        distributed_note: What is different on several ranks, or why it can't do more; empty when
            there is nothing to say.
        needs: What it needs beside data: "gradients" (one for each objective), "parents",
            "references" (reference answers), "groups" (annotators), "program".
        given: What people gave that it can learn from: "pairs" (labelled ones), "scored pairs"
            (such pairs, once the objectives have scored their answers) and "ratings".
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

    It runs from a plain shell, with no Ray.

    Lifecycle: built once per rank around a loaded base and the sweep's shared tables; `train` is
    called once for each launch, one after the other, and leaves the base as it found it. On several
    ranks, all of them call `train` with the same launch, and all get every report.
    """

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        """Train, calling `report` with every checkpoint in order, the final one last.

        A run that resumes reports only the checkpoints after the step it resumes from. `report` may
        raise to stop the run; the method lets it through after unloading its adapter.

        Raises:
            NonFiniteLossError: If the loss, its gradient or the adapter is not finite.
            AdapterError: If an adapter to start from is gone or was changed.
            MethodError: If `resume_from` is torn or was saved by another kind of worker group.
            RunInterrupted: After `should_stop` said yes and the state was saved.
        """
        ...
