"""The message that describes one attempt of a run, sent from the planner to the method."""

from __future__ import annotations

from dataclasses import dataclass, field

from paretoflow.core.values import FloatArray, Proposal


@dataclass(frozen=True)
class AdapterRef:
    """An adapter of the sweep, by name.

    Args:
        path: The adapter's folder, relative to the sweep's.
        digest: SHA-256 that the folder must have.
    """

    path: str
    digest: str


@dataclass(frozen=True)
class PriorEvaluation:
    """A checkpoint that was evaluated before, for a launch that evaluates it again.

    Args:
        run_id: Run of the checkpoint, `base` for the base; `attempt` and `step` likewise.
        number: Number of the re-evaluation, counting from 1; it decides the noise.
        data: SHA-256 of the prompts of its scores; empty where its trainer scored it.
        conditioned: Whether it is one of several preferences that its adapter serves.
        proposal: Proposal of its run; None for the base.
        inputs: SHA-256 of the inputs that its scores depend on; empty where it was not noted.
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
    """One attempt of a run: the same message for a worker group, each worker and the method.

    Facts that only the executor knows (folders on its machine, when to stop) are in
    `core.protocols.AttemptContext`.

    Args:
        proposal: Weights, or a parent with thresholds, and the seed of everything random in the
            run.
        parent: Adapter to start from, or to evaluate again; None for the base.
        merged: Adapters to mix, in the order of `proposal.merge.parents`; empty except for merge
            launches.
        accumulation_factor: Factor by which the forward batches are smaller than configured, after
            the run was out of memory; the optimiser's batches stay as they are.
        known: Checkpoint to evaluate again; None for other launches.
        front: Oriented gains of the sweep's front at the launch, shape (k, m); None for none.
            Launches are compared without it.
        parent_gains: Oriented gains on the eval prompts of a constrained launch's parent, from
            which its thresholds were made, shape (m,); None where they are unknown. Launches are
            compared without them.
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
