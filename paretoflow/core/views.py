"""Views of a sweep for commands, reports and exports, as frozen values read from the ledger.

FrontView       the front of a sweep at one moment
SweepView       everything a report or an export shows
CurvesView      the training curves of its runs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from paretoflow.core.confirmed import ConfirmedFront
from paretoflow.core.data_facts import DataFacts
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.values import Problem, RunRecord

if TYPE_CHECKING:
    import pyarrow as pa

CUT_OFF = "cut_off"
"""Diagnostic: share of answers that ended only because they reached the length limit."""


def front_name(snapshot: int | None, after: int | None) -> str:
    """Return the name of a front; only a recorded front has a number, which identifies it.

    Args:
        snapshot: Number of the front snapshot; None where the front was not recorded.
        after: Number of the last front snapshot before it; None where there is none.
    """
    if snapshot is not None:
        return f"front {snapshot}"
    return "no front recorded yet" if after is None else f"after front {after}, not recorded yet"


def front_number(snapshot: int | None, after: int | None) -> dict[str, int | None]:
    """Return the name for programs: `after_snapshot` is present only where there is no number."""
    return {"snapshot": snapshot} | ({"after_snapshot": after} if snapshot is None else {})


class NamedFront:
    """Base class of values that name a front by its sweep and snapshot.

    Args:
        sweep: Name of the sweep.
        snapshot: Number of the front snapshot; None where the front was not recorded.
        after: Number of the last front snapshot before it, where it has no number itself.
    """

    sweep: str
    snapshot: int | None
    after: int | None

    @property
    def name(self) -> str:
        """Return the name of the front; two fronts of a sweep never have the same name."""
        return front_name(self.snapshot, self.after)

    @property
    def front_name(self) -> str:
        """Return the name of the sweep and that of its front."""
        return f"{self.sweep}, {self.name}"


@dataclass(frozen=True)
class FrontView(NamedFront):
    """The front of a sweep at one moment.

    Args:
        snapshot: Number of the front snapshot, counting from 0; None where results since the last
            snapshot have changed the front.
        hypervolume: Hypervolume in the product of the objectives' units, against
            `problem.ref_scores`.
        hypervolume_ci: 95 % interval (low, high) of the points' true hypervolume; its middle is
            `hypervolume_corrected`, not `hypervolume`.
        points: Sorted by the first objective's gain, best first.
        finished, failed, pending, paused: Numbers of runs.
        after: Number of the last front snapshot before this front, where it has no number itself.
        notes: Caveats for a reader, one sentence each.
        hypervolume_corrected: `hypervolume` without the bias of selection; None without scores of
            single prompts.
    """

    sweep: str
    snapshot: int | None
    problem: Problem
    hypervolume: float
    hypervolume_ci: tuple[float, float]
    points: tuple[FrontPoint, ...]
    finished: int
    failed: int
    pending: int
    paused: int = 0
    after: int | None = None
    notes: tuple[str, ...] = ()
    hypervolume_corrected: float | None = None


@dataclass(frozen=True)
class InputChange:
    """A change of the inputs that scores depend on, after which the sweep continued.

    Args:
        time_s: Time of the change, seconds since the epoch.
        evaluations: Number of checkpoints that had been evaluated before it.
        stops: Changes that make evaluations before and after incomparable, accepted by the user.
        told: Changes that were only noted: patch releases of libraries.
    """

    time_s: float
    evaluations: int
    stops: tuple[str, ...]
    told: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the change as a sentence without its full stop."""
        when = f"{datetime.fromtimestamp(self.time_s, UTC):%Y-%m-%d %H:%M} UTC"
        also = f"; noted: {'; '.join(self.told)}" if self.told else ""
        if not self.stops:
            return f"from {when} on{also}"
        return (
            f"evaluations before and after {when} are not alike in: {'; '.join(self.stops)}{also}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "time_s": self.time_s,
            "evaluations_before": self.evaluations,
            "accepted": list(self.stops),
            "noted": list(self.told),
        }


@dataclass(frozen=True)
class SweepView:
    """Everything a report or an export shows, read from the ledger.

    Args:
        spec: The resolved spec as plain JSON values.
        runs: Every run, in the order in which they were proposed.
        evaluations: One row for each evaluated checkpoint, the base's first, in the order of the
            ledger; the row of a checkpoint that was evaluated again averages all its draws.
        curve: (runs finished, device seconds, hypervolume), the base first, then each finished run.
        root: Folder of the sweep.
        data_facts: Facts about the rows of the data.
        changes: Changes of the inputs that scores depend on during the sweep; oldest first.
        confirmation: The front's points on fresh prompts; None where none were scored.
        judged: Money that judges have cost.
    """

    spec: dict[str, Any]
    front: FrontView
    runs: tuple[RunRecord, ...]
    evaluations: tuple[Evaluation, ...]
    curve: tuple[tuple[int, float, float], ...]
    root: str
    data_facts: DataFacts = field(default_factory=DataFacts)
    changes: tuple[InputChange, ...] = ()
    confirmation: ConfirmedFront | None = None
    judged: float = 0.0


@dataclass(frozen=True)
class CurvesView:
    """The training curves of a sweep's runs.

    Args:
        table: A row for each step of each attempt, see `ledger.curves.read_curves`.
        absent: Why there is no curve, by run.
        damaged: Files that were left out, each with its fault.
    """

    table: pa.Table
    absent: Mapping[str, str] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
