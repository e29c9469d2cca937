"""The contract of what a rank keeps loaded, and of what it tells and asks while it works."""

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
"""What trains and evaluates, unless a test or a benchmark names another."""


SHORTEST_WAIT_S = 7200.0


def parallel_of(engine: EngineSpec, rank: int) -> Parallel:
    """Return a rank's place in its worker group.

    The others wait in a collective while the first evaluates. Who hangs is for the driver to see,
    by `limits.silent_s`, so they wait twice as long, and two hours at least: a library's own limit
    of some minutes would end a worker group that is well.
    """
    resources = engine.resources
    wait_s = max(2 * engine.limits.silent_s, SHORTEST_WAIT_S)
    return Parallel(rank, resources.ranks, resources.zero, resources.offload, wait_s)


class Attempt(Protocol):
    """What an executor tells and asks while it executes a launch; `Mailbox` is one."""

    def tell(self, report: Report) -> None:
        """Report rows that are durable in a fragment."""
        ...

    def progress(self, step: int | None = None) -> None:
        """Give a sign of life, with the optimiser steps done where they are known."""
        ...

    def stopping(self) -> bool:
        """Return whether the run is to be saved and put down."""
        ...

    def suspended(self) -> str:
        """Return why the run is to be paused; empty while it is not, or where another rank knows.

        Asked once a run is put down.
        """
        ...


def asked_to_stop(attempt: Attempt) -> bool:
    """Give a sign of life; return whether the run is to be saved and put down."""
    attempt.progress()
    return attempt.stopping()


class RunExecutor(Protocol):
    """What a rank keeps loaded; built with (spec, root URI, threads, place among the ranks)."""

    def prepare(self, mailbox: Preparing) -> list[Event]:
        """Freeze the objectives and evaluate the base; return both as rows.

        Raises:
            RunInterrupted: If the mailbox asks for it; the next one goes on from there.
        """
        ...

    def ready(self, problem: Problem, mailbox: Preparing) -> list[Event] | None:
        """Get ready for launches under objectives that are frozen already.

        Return what scores depend on as a row, where `problem.inputs` is not just that; None or
        nothing where it is, or where it is not looked at.

        Raises:
            ChangedInputsError: If scores would not be like those that are there.
            RunInterrupted: If the mailbox asks for it.
        """
        ...

    def execute(self, launch: Launch, attempt: Attempt) -> Failure | None:
        """Execute an attempt; return why it failed, or None when it did not."""
        ...
