"""The message of a launch: one attempt of a run, from the planner to the method that trains it."""

from __future__ import annotations

from dataclasses import dataclass, field

from paretoflow.core.values import FloatArray, Proposal


@dataclass(frozen=True)
class AdapterRef:
    """An adapter of the sweep, by name.

    Args:
        path: Its folder, relative to the sweep's.
        digest: SHA-256 that the folder must have.
    """

    path: str
    digest: str


@dataclass(frozen=True)
class PriorEvaluation:
    """An evaluated checkpoint, as a launch that evaluates it again needs it.

    Args:
        run_id: The run that it came from, `base` for the base; `attempt` and `step` likewise.
        number: Which further evaluation of it this is, counting from 1; it decides the noise.
        data: SHA-256 of the prompts that it was scored on; empty where its trainer scored it.
        conditioned: Whether it is one of the preferences that its adapter serves.
        proposal: What it came from; None for the base.
        inputs: SHA-256 of what its scores depend on; empty where it was not noted.
    """

    snapshot_id: str
    run_id: str
    attempt: int
    step: int
    number: int
    data: str
    conditioned: bool
    proposal: Proposal | None
    inputs: str = ""


@dataclass(frozen=True)
class Launch:
    """One attempt of a run: the same message to a worker group, to each worker and to the method.

    What only the executor knows (folders on its machine, when to stop) is not part of it: see
    `core.protocols.AttemptContext`.

    Args:
        proposal: Weights, or a parent with thresholds, and the seed of everything random in the
            run.
        parent: Adapter to start from, or to evaluate again; None for the base.
        merged: Adapters to mix, in the order of `proposal.merge.parents`; empty but for merge
            launches.
        accumulation_factor: How many times smaller than asked for the forward batches are, after
            the run was out of memory; the optimiser's batches stay as they are.
        known: What it evaluates again; None where it does something else.
        front: Oriented gains of the sweep's front when it was launched, shape (k, m); None for
            none. Attempts are compared without it.
        parent_gains: Oriented gains on the eval prompts of the parent that a constrained launch
            extends, which its thresholds were made from, shape (m,); None where they are not known.
            Attempts are compared without them.
    """

    run_id: str
    attempt: int
    proposal: Proposal
    parent: AdapterRef | None = None
    merged: tuple[AdapterRef, ...] = ()
    accumulation_factor: int = 1
    known: PriorEvaluation | None = None
    front: FloatArray | None = field(default=None, compare=False)
    parent_gains: FloatArray | None = field(default=None, compare=False)

    @property
    def seed(self) -> int:
        """Return the seed of everything random in the run."""
        return self.proposal.seed
