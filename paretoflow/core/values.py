"""The basic concepts of a sweep, as frozen values.

ObjectiveInfo   one scored quantity: name, direction, unit, range, reference value
Problem         the objectives together, with the frozen reference point and normalisation
WeightVector    a preference on the simplex
Proposal        one choice of a proposer, with its seed and reason
RunRecord       a run of a proposal, with its status
History         the ended runs and evaluations that a proposer reads
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.cost import Cost
from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.core.inputs import Inputs
from paretoflow.core.merge import Merge
from paretoflow.core.settings import Settings
from paretoflow.core.status import Boundary, RunStatus

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BASE_RUN_ID = "base"
"""Run id of the untrained base model, evaluated once per sweep."""


class Direction(StrEnum):
    """The direction in which a score is better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


class LaunchKind(StrEnum):
    """The kind of a launch.

    WEIGHTED trains towards weights, CONSTRAINED extends a parent under thresholds, MERGE mixes
    adapters and REEVALUATE evaluates its parent again, on the same prompts with other noise.
    """

    WEIGHTED = "weighted"
    CONSTRAINED = "constrained"
    MERGE = "merge"
    REEVALUATE = "reevaluate"


@dataclass(frozen=True)
class ObjectiveInfo:
    """One scored quantity, in the user's units.

    Args:
        name: Unique within a sweep.
        direction: Direction in which it is better.
        unit: Unit shown beside values.
        low: Lower end of the range that normalisation uses, in raw units.
        high: Upper end, in raw units; above `low`.
        ref: Value a point must beat to count towards the hypervolume, in raw units.
    """

    name: str
    direction: Direction
    unit: str
    low: float
    high: float
    ref: float


@dataclass(frozen=True)
class Problem:
    """The objectives of a sweep with their frozen reference point and normalisation.

    Declared or calibrated at the sweep's start and stored with it; never recomputed from a front.

    Args:
        objectives: In the order of every weight vector.
        inputs: Inputs that its scores depend on; None where they were not recorded.
    """

    objectives: tuple[ObjectiveInfo, ...]
    inputs: Inputs | None = field(default=None, compare=False, repr=False)

    @property
    def m(self) -> int:
        """Return the number of objectives."""
        return len(self.objectives)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the objectives' names in order."""
        return tuple(o.name for o in self.objectives)

    @property
    def ref_scores(self) -> FloatArray:
        """Return the reference point in raw units, shape (m,)."""
        return np.array([o.ref for o in self.objectives], dtype=np.float64)


@dataclass(frozen=True)
class WeightVector:
    """A preference on the simplex: shape (m,), finite, non-negative, summing to one.

    Raises:
        NonFiniteError: If an entry is nan or infinite.
        ShapeError: If it is empty, has a negative entry or does not sum to one within 1e-6.
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        array = np.asarray(self.values, dtype=np.float64)
        if not np.isfinite(array).all():
            raise NonFiniteError(f"weights must be finite, got {self.values}")
        if array.ndim != 1 or array.size == 0 or (array < 0).any() or abs(array.sum() - 1.0) > 1e-6:
            raise ShapeError(f"weights must be non-negative and sum to one, got {self.values}")

    @classmethod
    def of(cls, values: Sequence[float] | FloatArray) -> WeightVector:
        """Scale non-negative numbers to sum to one, rounded so that equal choices compare equal."""
        array = np.asarray(values, dtype=np.float64)
        total = float(array.sum())
        if not np.isfinite(total) or total <= 0 or (array < 0).any():
            raise ShapeError(
                f"weights need non-negative numbers with a positive sum, got {array.tolist()}"
            )
        return cls(tuple(float(round(v, 12)) for v in array / total))

    @classmethod
    def one_hot(cls, m: int, index: int) -> WeightVector:
        """Return all weight on one of m objectives."""
        return cls(tuple(1.0 if i == index else 0.0 for i in range(m)))

    @property
    def array(self) -> FloatArray:
        """Return the weights, shape (m,)."""
        return np.asarray(self.values, dtype=np.float64)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Let numpy functions take a weight vector as it is."""
        return np.array(self.values, dtype=dtype or np.float64)

    def __len__(self) -> int:
        """Return the number of objectives."""
        return len(self.values)

    def __iter__(self) -> Iterator[float]:
        """Iterate over the weights."""
        return iter(self.values)


@dataclass(frozen=True)
class Proposal:
    """One choice of a proposer.

    Args:
        kind: Kind of the launch.
        weights: Preference to train towards; for a constrained launch, the start of the dual
            controller.
        seed: Seed of the run, so that a replay trains the same policy.
        reason: Reason for the choice, in one sentence for a person.
        proposer: Tag of the proposer that chose it.
        parent: Checkpoint to start from, or to evaluate again; None means the base.
        target: Index of the objective a constrained launch improves; None otherwise.
        thresholds: Gains (oriented, raw units) that the other objectives must keep, shape (m,); the
            target's own entry is the gain it should pass, or -inf for none. None for an
            unconstrained launch.
        tag: Label by which the proposer recognises it in the history, for instance a stage or a
            box.
        merge: Parents and parameters of a merge launch; None for every other kind.
        settings: Settings beside the weights, from the axes of the sweep's `search`.
    """

    kind: LaunchKind
    weights: WeightVector
    seed: int
    reason: str
    proposer: str
    parent: str | None = None
    target: int | None = None
    thresholds: tuple[float, ...] | None = None
    tag: str = ""
    merge: Merge | None = None
    settings: Settings = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form; `from_dict` gives back an equal proposal."""
        plain = asdict(self)
        # a run's name is a digest of this mapping: absent values are left out, so that names in
        # older ledgers stay valid
        if self.merge is None:
            del plain["merge"]
        else:
            plain["merge"] = self.merge.to_dict()
        if not self.settings:
            del plain["settings"]
        plain["kind"] = self.kind.value
        plain["weights"] = list(self.weights.values)
        plain["thresholds"] = (
            None
            if self.thresholds is None
            else [None if v == -np.inf else v for v in self.thresholds]
        )
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Proposal:
        """Build a proposal from `to_dict`'s form."""
        thresholds, merge = plain["thresholds"], plain.get("merge")
        return cls(
            **{
                **plain,
                "kind": LaunchKind(plain["kind"]),
                "weights": WeightVector(tuple(plain["weights"])),
                "thresholds": None
                if thresholds is None
                else tuple(-np.inf if v is None else float(v) for v in thresholds),
                "merge": None if merge is None else Merge.from_dict(merge),
                "settings": tuple((name, value) for name, value in plain.get("settings", ())),
            }
        )


@dataclass(frozen=True)
class RunRecord:
    """A run of a proposal, with its status.

    Args:
        boundary: Boundary of the last failure; None if there was none.
        message: The last failure in words; for a paused run, the reason of the pause.
    """

    run_id: str
    proposal: Proposal
    status: RunStatus
    attempt: int = 0
    cost: Cost = field(default_factory=Cost)
    boundary: Boundary | None = None
    message: str = ""


@dataclass(frozen=True)
class History:
    """The input of a proposer: ended runs and every complete evaluation.

    A paused run counts as ended; if it continues, it is pending again. Evaluations are in the order
    of the ledger. Failed runs are in `runs` and have no row in `gains`. A row is always finite.

    From one history of a sweep to the next, runs are inserted and rows are appended. A checkpoint
    that is evaluated again keeps its one row, which then averages all its draws: its gains and
    errors change, and with them the front. The run that evaluated it again has no row.

    Args:
        problem: Objectives with the frozen reference point and normalisation.
        runs: Ended runs (finished, failed or paused), in the order in which they were proposed.
        gains: Oriented scores, shape (n, m).
        stderr: Standard error of each gain, shape (n, m).
        run_index: Index into `runs` of each row, shape (n,); -1 for the base model, -2 for a run
            not yet ended.
        snapshot_ids: Name of each row's checkpoint, length n.
        front: Ascending indices of the non-dominated rows, one for each distinct gain vector.
        ref: Oriented reference point, shape (m,).
        ideal: Oriented best end of the normalisation, shape (m,).
        nadir: Oriented worst end of the normalisation, shape (m,).
    """

    problem: Problem
    runs: tuple[RunRecord, ...]
    gains: FloatArray
    stderr: FloatArray
    run_index: IntArray
    snapshot_ids: tuple[str, ...]
    front: IntArray
    ref: FloatArray
    ideal: FloatArray
    nadir: FloatArray
