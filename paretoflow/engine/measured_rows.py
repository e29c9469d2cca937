"""What was measured, in the terms of the frozen problem: gains, their errors and the front."""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import FloatArray, History, IntArray, Problem, RunRecord
from paretoflow.engine.rows import GrowingRows
from paretoflow.front.archive import Archive
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import gains_of, ideal_gains, nadir_gains, ref_gains


class MeasuredRows:
    """The gains of a sweep, one row for each evaluation, and the front that they make.

    Attributes:
        ref: Oriented reference point, shape (m,).
        ideal: Oriented best end of the ranges, shape (m,).
        nadir: Oriented worst end of the ranges, shape (m,).
        hypervolume: Of the front; 0.0 before the first row.
        front_version: Grows whenever the front changes.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.gains = GrowingRows(problem.m)
        self.stderr = GrowingRows(problem.m)
        self.archive = Archive(problem.m)
        self.ref: FloatArray = ref_gains(problem)
        self.ideal: FloatArray = ideal_gains(problem)
        self.nadir: FloatArray = nadir_gains(problem)
        self.hypervolume = 0.0
        self.front_version = 0

    def history(
        self, runs: tuple[RunRecord, ...], run_index: IntArray, snapshot_ids: tuple[str, ...]
    ) -> History:
        """Return what a proposer may look at; see `History` for the arguments."""
        return History(
            problem=self.problem,
            runs=runs,
            gains=self.gains.array,
            stderr=self.stderr.array,
            run_index=run_index,
            snapshot_ids=snapshot_ids,
            front=self.archive.indices,
            ref=self.ref,
            ideal=self.ideal,
            nadir=self.nadir,
        )

    def add(self, scores: tuple[float, ...], stderr: tuple[float, ...], index: int) -> None:
        """Add an evaluation.

        Args:
            scores: Raw means, length m.
            stderr: Their standard errors, length m.
            index: Its place among the sweep's evaluations.
        """
        gains = gains_of(np.asarray(scores), self.problem)
        self.gains.append(gains)
        self.stderr.append(np.asarray(stderr))
        if self.archive.add(gains, index):
            self.front_version += 1
            self.hypervolume = hypervolume(self.archive.gains, self.ref)
