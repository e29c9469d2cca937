"""Stages of MAP: the mixtures of given parents and their results, read from the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray, History, Proposal, WeightVector
from paretoflow.proposers.experts import Expert
from paretoflow.proposers.ranges import normalised

_BASE = -1
SAMPLE, NODE, VERIFY = "sample", "node", "verify"
"""Tags of MAP's merges: samples for the fit, mixtures for the next level, and predicted front."""


@dataclass(frozen=True)
class MergeNode:
    """An adapter to mix: an expert, or a mixture further down the tree.

    Args:
        gains: Normalised gains, shape (m,).
    """

    snapshot: str
    weights: WeightVector
    gains: FloatArray


@dataclass(frozen=True)
class AskedMerge:
    """A merge that was launched.

    Args:
        over: Whether its run has ended.
        node: The resulting adapter; None while the run is pending, and if it failed.
    """

    proposal: Proposal
    over: bool = False
    node: MergeNode | None = None

    @property
    def parents(self) -> tuple[str, ...]:
        """Return the mixed checkpoints."""
        return self.proposal.merge.parents if self.proposal.merge else ()

    @property
    def coefficients(self) -> tuple[float, ...]:
        """Return one coefficient for each parent."""
        return self.proposal.merge.coefficients if self.proposal.merge else ()


@dataclass(frozen=True)
class MergeStage:
    """The mixtures of some parents.

    Args:
        mixtures: Mixtures that MAP has launched, in order.
        base: The base model's normalised gains, shape (1, m); shape (0, m) if not known.
    """

    parents: tuple[MergeNode, ...]
    mixtures: tuple[AskedMerge, ...]
    base: FloatArray

    def of(self, tag: str) -> list[AskedMerge]:
        """Return the mixtures with a tag."""
        return [x for x in self.mixtures if x.proposal.tag == tag]

    def known(self) -> tuple[FloatArray, FloatArray]:
        """Return coefficients (n, k) and normalised gains (n, m) of all points of the fit.

        They are the samples that have ended, the parents themselves, and the base, whose
        coefficients are 0.
        """
        count = len(self.parents)
        done = [(x.coefficients, x.node.gains) for x in self.of(SAMPLE) if x.node is not None]
        coefficients = [np.eye(count), np.zeros((len(self.base), count))]
        gains = [np.array([p.gains for p in self.parents]), self.base]
        if done:
            coefficients.append(np.array([c for c, _ in done]))
            gains.append(np.array([g for _, g in done]))
        return np.vstack(coefficients), np.vstack(gains)

    def tried(self) -> FloatArray:
        """Return the coefficients of all mixtures and of the parents, shape (n, k)."""
        rows = [np.eye(len(self.parents)), *(np.array([x.coefficients]) for x in self.mixtures)]
        return np.vstack(rows)


class Survey:
    """The merges of a history, with their results."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._gains = normalised(history)
        self._base = self._gains[history.run_index == _BASE][:1]
        rows = {run: row for row, run in enumerate(history.run_index.tolist())}
        self._ended = [
            AskedMerge(run.proposal, True, self._node(run.proposal.weights, rows.get(index, -1)))
            for index, run in enumerate(history.runs)
            if run.proposal.merge is not None and run.proposal.proposer == "map"
        ]

    def expert(self, expert: Expert) -> MergeNode:
        """Return a trained expert as a node."""
        return MergeNode(expert.snapshots[-1], expert.weights, self._gains[expert.row])

    def stage(self, parents: Sequence[MergeNode], pending: Sequence[Proposal]) -> MergeStage:
        """Return the stage of these parents.

        Args:
            parents: In the order of the coefficients.
            pending: Pending launches, those just chosen included.
        """
        names = tuple(p.snapshot for p in parents)
        waiting = [AskedMerge(p) for p in pending if p.proposer == "map"]
        own = tuple(x for x in [*self._ended, *waiting] if x.parents == names)
        return MergeStage(tuple(parents), own, self._base)

    def _node(self, weights: WeightVector, row: int) -> MergeNode | None:
        if row < 0:
            return None
        return MergeNode(self._history.snapshot_ids[row], weights, self._gains[row])
