"""The rows of the ledger: one versioned Arrow schema per table.

Two tables: `events` (everything that happened to a sweep, append-only) and `fronts` (one row per
accepted front).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 1


class EventKind(StrEnum):
    """Kind of an event."""

    OPENED = "opened"
    """A driver took over the sweep; payload: code version, digests, resolved spec (first time)."""
    CALIBRATED = "calibrated"
    """The problem was frozen; payload: objectives with range and reference value, and the digests
    of the inputs of scores."""
    INPUTS = "inputs"
    """The inputs of scores were recorded, because the calibration did not record them or they had
    changed; payload: the digests, the accepted changes, and the changes that were only reported."""
    PROPOSED = "proposed"
    """A proposer's launch became a run; payload: the proposal."""
    STARTED = "started"
    """A worker group got an attempt of a run."""
    ADOPTED = "adopted"
    """A new driver found an attempt still in training, and adopted it."""
    EVALUATED = "evaluated"
    """A checkpoint got a full score vector."""
    FINISHED = "finished"
    """A run finished successfully."""
    FAILED = "failed"
    """An attempt failed; payload: whether it is final."""
    STOPPED = "stopped"
    """A run was stopped before finishing because the sweep stopped."""
    PAUSED = "paused"
    """A run was paused with its state kept, since others at its rung are better; message: the
    reason."""
    CLOSED = "closed"
    """A driver shut down in good order; payload: the reason."""


@dataclass(frozen=True)
class Event:
    """One row of the `events` table. Fields that a kind does not use keep their defaults.

    Args:
        event_id: Deterministic: the same event always gets the same id, so a replay adds nothing.
        time_s: Seconds since the epoch, UTC.
        scores: Raw means, length m (EVALUATED).
        stderr: Standard error of each mean, length m.
        prompt_scores: Raw per-prompt scores, m rows of n.
        weights: Weights of the training when the checkpoint was saved.
        path: Adapter folder relative to the sweep's root.
        digest: SHA-256 of the adapter folder.
        payload: Further JSON values, depending on the kind.
        seq: Position in the ledger, set by the ledger; -1 before.
        epoch: Epoch of the driver that committed it, set by the ledger; -1 before.
    """

    event_id: str
    kind: EventKind
    time_s: float
    run_id: str = ""
    attempt: int = 0
    snapshot_id: str = ""
    step: int = 0
    scores: tuple[float, ...] = ()
    stderr: tuple[float, ...] = ()
    prompt_scores: tuple[tuple[float, ...], ...] = ()
    n: int = 0
    weights: tuple[float, ...] = ()
    path: str = ""
    digest: str = ""
    boundary: str = ""
    message: str = ""
    wall_s: float = 0.0
    device_s: float = 0.0
    tokens: int = 0
    payload: dict[str, Any] = field(default_factory=dict)
    seq: int = -1
    epoch: int = -1


@dataclass(frozen=True)
class FrontRecord:
    """One row of the `fronts` table: an accepted front, with its reference point.

    Args:
        number: Counts from 0.
        ledger_seq: `seq` of the last event in it.
        snapshot_ids: Checkpoints of its points.
        ref_scores: Reference point in raw units, length m.
    """

    number: int
    time_s: float
    ledger_seq: int
    runs_finished: int
    hypervolume: float
    hypervolume_low: float
    hypervolume_high: float
    ref_scores: tuple[float, ...]
    snapshot_ids: tuple[str, ...]
    spec_digest: str
    code_version: str


EVENTS_SCHEMA = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("time_s", pa.float64(), nullable=False),
        pa.field("run_id", pa.string()),
        pa.field("attempt", pa.int32()),
        pa.field("snapshot_id", pa.string()),
        pa.field("step", pa.int32()),
        pa.field("scores", pa.list_(pa.float64())),
        pa.field("stderr", pa.list_(pa.float64())),
        pa.field("prompt_scores", pa.list_(pa.list_(pa.float64()))),
        pa.field("n", pa.int32()),
        pa.field("weights", pa.list_(pa.float64())),
        pa.field("path", pa.string()),
        pa.field("digest", pa.string()),
        pa.field("boundary", pa.string()),
        pa.field("message", pa.string()),
        pa.field("wall_s", pa.float64()),
        pa.field("device_s", pa.float64()),
        pa.field("tokens", pa.int64()),
        pa.field("payload", pa.string()),
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("epoch", pa.int64(), nullable=False),
    ],
    metadata={"paretoflow.schema_version": str(SCHEMA_VERSION)},
)
"""Columns of the `events` table; `payload` is JSON text."""

FRONTS_SCHEMA = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),
        pa.field("time_s", pa.float64(), nullable=False),
        pa.field("ledger_seq", pa.int64(), nullable=False),
        pa.field("runs_finished", pa.int64(), nullable=False),
        pa.field("hypervolume", pa.float64(), nullable=False),
        pa.field("hypervolume_low", pa.float64()),
        pa.field("hypervolume_high", pa.float64()),
        pa.field("ref_scores", pa.list_(pa.float64())),
        pa.field("snapshot_ids", pa.list_(pa.string())),
        pa.field("spec_digest", pa.string()),
        pa.field("code_version", pa.string()),
    ],
    metadata={"paretoflow.schema_version": str(SCHEMA_VERSION)},
)
"""Columns of the `fronts` table."""

EVENT_FIELDS = tuple(f.name for f in fields(Event))
FRONT_FIELDS = tuple(f.name for f in fields(FrontRecord))
