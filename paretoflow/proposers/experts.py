"""Experts: the trained runs to merge, and the choice of the one to train next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import History, LaunchKind, Proposal, WeightVector
from paretoflow.proposers.asked import Asked, seed_for
from paretoflow.proposers.initial import initial_weights
from paretoflow.proposers.wording import preference

Weights = tuple[float, ...]


@dataclass(frozen=True)
class Expert:
    """A run whose adapter is mixed with others.

    Args:
        snapshots: Its evaluated checkpoints in order, the final one last; empty while it runs.
        row: Row of the final checkpoint in the history; -1 while it runs.
    """

    weights: WeightVector
    snapshots: tuple[str, ...] = ()
    row: int = -1

    @property
    def ready(self) -> bool:
        """Return whether the expert has an adapter to mix."""
        return bool(self.snapshots)


@dataclass(frozen=True)
class Team:
    """The experts of a sweep.

    Args:
        experts: Trained or in training, in a fixed order.
        missing: Weights to train next; None when there are enough experts.
    """

    experts: tuple[Expert, ...]
    missing: WeightVector | None

    @property
    def complete(self) -> bool:
        """Return whether all experts are trained."""
        return self.missing is None and all(e.ready for e in self.experts)


class TrainedRuns:
    """Ended weighted runs of a history that started from the base, by their weights."""

    def __init__(self, history: History) -> None:
        rows: dict[int, list[int]] = {}
        for row, run in enumerate(history.run_index.tolist()):
            rows.setdefault(run, []).append(row)
        self.m = history.problem.m
        self._known: dict[Weights, Expert] = {}
        for index, run in enumerate(history.runs):
            weights = run.proposal.weights
            known = self._known.get(weights.values)
            if not trains(run.proposal) or (known is not None and known.ready):
                continue
            own = rows.get(index, [])
            names = tuple(history.snapshot_ids[row] for row in own)
            self._known[weights.values] = Expert(weights, names, own[-1] if own else -1)

    def team(self, pending: Sequence[Proposal], count: int) -> Team:
        """Return `count` experts: the corners, then always the weights farthest from all before.

        A failed expert is not trained again; the next weights of that order replace it.

        Args:
            pending: Pending launches, those just chosen included.
            count: Number of experts.
        """
        under_way = {p.weights.values for p in pending if trains(p)}
        experts: list[Expert] = []
        failed = 0
        while len(experts) < count:
            number = len(experts) + failed
            weights = initial_weights(self.m, number + 1)[number]
            known = self._known.get(weights.values)
            if known is not None and known.ready:
                experts.append(known)
            elif weights.values in under_way:
                experts.append(Expert(weights))
            elif known is None:
                return Team(tuple(experts), weights)
            else:
                failed += 1
        return Team(tuple(experts), None)


def trains(proposal: Proposal) -> bool:
    """Return whether a launch trains an expert: towards weights, from the base."""
    return proposal.kind is LaunchKind.WEIGHTED and proposal.parent is None


def expert_count(m: int, experts: int | None) -> int:
    """Return the number of experts: `experts`; if unset, one for each objective, at least two.

    Args:
        m: Number of objectives.
        experts: Number in the spec, or None.
    """
    return max(m, 2) if experts is None else experts


def expert_launch(
    weights: WeightVector, asked: Asked, names: Sequence[str], seed: int, proposer: str
) -> Proposal:
    """Return the launch that trains an expert.

    Args:
        weights: Weights of the expert.
        asked: Every launch so far.
        names: Names of the m objectives.
        seed: Seed of the sweep.
        proposer: Tag of the proposer.
    """
    if max(weights.values) == 1.0:
        what = f"for {names[int(np.argmax(weights.values))]} alone"
    else:
        what = f"between the corners: {preference(weights, names)}"
    return Proposal(
        kind=LaunchKind.WEIGHTED,
        weights=weights,
        seed=seed_for(seed, asked),
        reason=f"Trains an expert {what}; its adapter is to be mixed with others.",
        proposer=proposer,
        tag="expert",
    )
