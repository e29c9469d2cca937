"""Base of the proposers that fill the gaps of a front: opening, ends, gaps, spread."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from paretoflow.core.values import History, Proposal
from paretoflow.proposers.asked import Asked, Choose
from paretoflow.proposers.boxes import Landscape, landscape
from paretoflow.proposers.extremes import extreme_launch
from paretoflow.proposers.initial import SPARE_SHARE, initial_count, initial_launch
from paretoflow.proposers.spread import spread_launch
from paretoflow.proposers.stepwise import StepwiseProposer


class GapProposer(StepwiseProposer):
    """Opens with weights over the simplex, trains for the ends of the front, then fills its gaps.

    Args:
        m: Number of objectives.
        runs: Number of runs of the sweep.
        initial: Number of opening launches; None derives it from the number of objectives.
    """

    tag: ClassVar[str]

    def __init__(self, m: int, runs: int, initial: int | None) -> None:
        super().__init__()
        self._initial = initial_count(m, initial)
        self._spare = max(self._initial, runs // SPARE_SHARE)

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch; it returns None only while the opening trains."""
        names = history.problem.names

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal | None:
            first = initial_launch(asked, self._initial, names, seed, self.tag)
            if first is not None:
                return first
            end = extreme_launch(history, asked, seed, self.tag)
            if end is not None:
                return end
            filling = self._filling(landscape(history, asked, pending), history, asked, seed)
            if filling is not None:
                return filling
            opening = any(p.tag == "initial" for p in pending)
            if opening and len(asked) >= self._spare:
                return None
            return spread_launch(asked, names, seed, self._no_gap(opening=opening), self.tag)

        return choose

    @abstractmethod
    def _filling(
        self, land: Landscape, history: History, asked: Asked, seed: int
    ) -> Proposal | None:
        """Return the launch into the gap that promises most; None if no gap is worth a run."""

    @abstractmethod
    def _no_gap(self, *, opening: bool) -> str:
        """Return the reason in words why no gap is filled, without a full stop."""
