"""Protocols of a worker's executor and of its progress callbacks."""

from __future__ import annotations

from typing import Protocol

from paretoflow.core.launch import Launch
from paretoflow.core.protocols import Parallel
from paretoflow.core.values import Problem
from paretoflow.engine.messages import Failure, Report
from paretoflow.ledger.tables import Event
from paretoflow.scoring.preparing import Preparing
from paretoflow.spec.engine import EngineSpec

EXECUTOR = "paretoflow.engine.runtime.executor:Executor"
"""Import path of the default executor; tests and benchmarks may name another."""


SHORTEST_WAIT_S = 7200.0


def parallel_of(engine: EngineSpec, rank: int) -> Parallel:
    """Return the parallel setup of a rank in its worker group.

    The other workers wait in a collective while the first evaluates. The driver detects a hang, by
    `limits.silent_s`. So the workers wait twice as long, and two hours at least: a library's own
    limit of some minutes would end a healthy worker group.
    """
    resources = engine.resources
    wait_s = max(2 * engine.limits.silent_s, SHORTEST_WAIT_S)
    return Parallel(rank, resources.ranks, resources.zero, resources.offload, wait_s)


class Attempt(Protocol):
    """Callbacks of an executor while it executes a launch; `Mailbox` implements them."""

    def tell(self, report: Report) -> None:
        """Report rows that are durable in a fragment."""
        ...

    def progress(self, step: int | None = None) -> None:
        """Give a sign of life, with the optimiser steps done where they are known."""
        ...

    def stopping(self) -> bool:
        """Check whether the run should save its state and stop."""
        ...

    def suspended(self) -> str:
        """Return the reason to pause the run; empty for none, or where another worker has it.

        Called once a run has stopped.
        """
        ...


def asked_to_stop(attempt: Attempt) -> bool:
    """Give a sign of life; return whether the run should save its state and stop."""
    attempt.progress()
    return attempt.stopping()


class RunExecutor(Protocol):
    """The executor that a worker keeps loaded; built with (spec, root URI, threads, parallel)."""

    def prepare(self, mailbox: Preparing) -> list[Event]:
        """Freeze the objectives and evaluate the base; return both as rows.

        Raises:
            RunInterrupted: If the mailbox requests it; the next call continues from there.
        """
        ...

    def ready(self, problem: Problem, mailbox: Preparing) -> list[Event] | None:
        """Prepare for launches under objectives that are frozen already.

        Return the inputs that scores depend on as a row, where they differ from `problem.inputs`;
        None or no row where they are equal, or are not compared.

        Raises:
            ChangedInputsError: If scores would not be comparable with the earlier ones.
            RunInterrupted: If the mailbox requests it.
        """
        ...

    def execute(self, launch: Launch, attempt: Attempt) -> Failure | None:
        """Execute an attempt; return its failure, or None."""
        ...
