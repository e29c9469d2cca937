"""Measured gains under the frozen problem, with their errors, and the front that they form."""

from __future__ import annotations

from array import array

import numpy as np

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.values import FloatArray, History, Problem
from paretoflow.engine.state.runs import EndedRuns
from paretoflow.front.archive import Archive
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import gains_of, ideal_gains, nadir_gains, ref_gains


class MeasuredRows:
    """The gains of a sweep, one row for each evaluated checkpoint, and the front that they form.

    Attributes:
        ref: Oriented reference point, shape (m,).
        ideal: Oriented best end of the ranges, shape (m,).
        nadir: Oriented worst end of the ranges, shape (m,).
        hypervolume: Hypervolume of the front; 0.0 before the first row.
        corrected: Total change of the hypervolume from re-evaluations of known points.
        front_version: Number that grows whenever the front changes.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.gains = GrowingRows(problem.m)
        self.stderr = GrowingRows(problem.m)
        self._ordinals = array("q")
        self._snapshot_ids: list[str] = []
        self.archive = Archive(problem.m)
        self.ref: FloatArray = ref_gains(problem)
        self.ideal: FloatArray = ideal_gains(problem)
        self.nadir: FloatArray = nadir_gains(problem)
        self.hypervolume = 0.0
        self.corrected = 0.0
        self.front_version = 0

    def add(self, row: Evaluation, ordinal: int) -> None:
        """Add an evaluation.

        Args:
            row: Evaluation of a checkpoint that has no row yet.
            ordinal: Number of runs proposed before the checkpoint's run; -1 for the base.
        """
        gains = gains_of(row.scores, self.problem)
        self.gains.append(gains)
        self.stderr.append(row.stderr)
        self._ordinals.append(ordinal)
        self._snapshot_ids.append(row.snapshot_id)
        if self.archive.add(gains, len(self._snapshot_ids) - 1):
            self.front_version += 1
            self.hypervolume = hypervolume(self.archive.gains, self.ref)

    def replace(self, whole: Evaluation, index: int) -> None:
        """Replace the row of a checkpoint that was evaluated again.

        Rows that the old gains dominated may return to the front.

        Args:
            whole: Pooled evaluation of all draws.
            index: Index of the row among the sweep's evaluations.
        """
        self.gains.replace(index, gains_of(whole.scores, self.problem))
        self.stderr.replace(index, whole.stderr)
        gains, before = self.gains.array, self.archive
        self.archive = Archive(self.problem.m)
        for row in np.flatnonzero(nondominated(gains)).tolist():
            self.archive.add(gains[row], row)
        known = np.array_equal(before.indices, self.archive.indices)
        if not (known and np.array_equal(before.gains, self.archive.gains)):
            self.front_version += 1
            volume = hypervolume(self.archive.gains, self.ref)
            self.corrected += volume - self.hypervolume
            self.hypervolume = volume

    def history(self, ended: EndedRuns, proposed: int) -> History:
        """Return the history for a proposer.

        Args:
            ended: The runs that have ended.
            proposed: Number of proposed runs.
        """
        # the base's ordinal and index are both -1: the last entry maps one to the other
        places = np.append(ended.places(proposed), -1)
        return History(
            problem=self.problem,
            runs=ended.records,
            gains=self.gains.array,
            stderr=self.stderr.array,
            run_index=places[np.array(self._ordinals, dtype=np.int64)],
            snapshot_ids=tuple(self._snapshot_ids),
            front=self.archive.indices,
            ref=self.ref,
            ideal=self.ideal,
            nadir=self.nadir,
        )


class GrowingRows:
    """A growing float matrix; appending a row takes constant amortised time."""

    def __init__(self, width: int) -> None:
        self._rows = np.empty((64, width))
        self._count = 0

    def append(self, row: FloatArray) -> None:
        """Add a row of shape (width,)."""
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[self._count] = row
        self._count += 1

    def replace(self, index: int, row: FloatArray) -> None:
        """Replace a row by one of shape (width,); arrays returned earlier do not change."""
        self._rows = self._rows.copy()
        self._rows[index] = row

    @property
    def array(self) -> FloatArray:
        """Return a read-only view of the rows, shape (n, width)."""
        view = self._rows[: self._count]
        view.flags.writeable = False
        return view
