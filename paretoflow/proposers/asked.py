"""Launches so far: every launch, ended or pending, failed ones included.

Failed runs count, since the engine has used up their retries: a proposer that requested them again
would spend the whole budget on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import attrgetter

from paretoflow.core.ids import seed_of
from paretoflow.core.values import History, LaunchKind, Proposal, RunRecord

Thresholds = tuple[float, ...]
LAG = 3
"""Multiple of the number of pending launches: so many of the latest ended runs are read again at
each choice, since runs that end late may still come between them."""
SHORTEST_BLOCK = 256


class Asked:
    """Every launch so far: the ended ones, then the pending ones.

    Args:
        launches: In this order.
        before: Earlier launches; they must not change any more.
    """

    def __init__(self, launches: Iterable[Proposal] = (), before: Asked | None = None) -> None:
        self._before = before
        self._launches = list(launches)
        self._tried: set[tuple[float, ...]] = set()
        self._towards: dict[int | None, list[Thresholds]] = {}
        self._alone: dict[int, list[int]] = {}
        self._indexed = 0

    def __len__(self) -> int:
        """Return the number of launches."""
        return len(self._launches) + (len(self._before) if self._before is not None else 0)

    def extend(self, launches: Iterable[Proposal]) -> None:
        """Append launches."""
        self._launches.extend(launches)

    def has_tried(self, weights: tuple[float, ...]) -> bool:
        """Return whether a weighted launch of any proposer had these weights."""
        if self._before is not None and self._before.has_tried(weights):
            return True
        self._index()
        return weights in self._tried

    def tried(self) -> set[tuple[float, ...]]:
        """Return the weights of all weighted launches."""
        self._index()
        return self._tried if self._before is None else self._before.tried() | self._tried

    def constrained(self) -> Iterator[Proposal]:
        """Iterate over the constrained launches, in order."""
        own = (p for p in self._launches if p.kind is LaunchKind.CONSTRAINED)
        return chain(self._before.constrained(), own) if self._before is not None else own

    def questions(self, target: int, most: int) -> list[Thresholds]:
        """Return the thresholds of the latest constrained launches towards an objective."""
        if self._before is None:
            self._index()
            return self._towards.get(target, [])[-most:]
        # usually the latest few launches hold them all: these need no index
        latest = (
            p.thresholds
            for p in reversed(self._launches)
            if p.target == target and p.kind is LaunchKind.CONSTRAINED and p.thresholds is not None
        )
        own = list(islice(latest, most))[::-1]
        if len(own) == most:
            return own
        return self._before.questions(target, most - len(own)) + own

    def alone(self, objective: int) -> list[int]:
        """Return the positions of the weighted launches for one objective alone, in order."""
        self._index()
        if self._before is None:
            return list(self._alone.get(objective, ()))
        later = (len(self._before) + place for place in self._alone.get(objective, ()))
        return [*self._before.alone(objective), *later]

    def _index(self) -> None:
        """Index the launches that were added since the last call."""
        for place, launch in enumerate(islice(self._launches, self._indexed, None), self._indexed):
            if launch.kind is LaunchKind.WEIGHTED:
                weights = launch.weights.values
                self._tried.add(weights)
                if max(weights) == 1.0:
                    self._alone.setdefault(weights.index(1.0), []).append(place)
            elif launch.kind is LaunchKind.CONSTRAINED and launch.thresholds is not None:
                self._towards.setdefault(launch.target, []).append(launch.thresholds)
        self._indexed = len(self._launches)


_proposal_of = attrgetter("proposal")


class AskedMemory:
    """Cache of the launches of a long history, so that it is read once, not at every choice.

    Runs that ended long ago keep their place in a history; their launches are kept here. A history
    that does not begin with the same runs is read from the start. So the result is always the same
    as without the cache.
    """

    def __init__(self) -> None:
        self._runs: tuple[RunRecord, ...] = ()
        self._block = Asked()

    def asked_of(self, history: History, pending: Sequence[Proposal]) -> Asked:
        """Return every launch so far: the ended ones, then the pending ones."""
        runs, known = history.runs, len(self._runs)
        if runs[:known] != self._runs:
            self._runs, self._block, known = (), Asked(), 0
        lag = max(SHORTEST_BLOCK, LAG * len(pending))
        if len(runs) - known > lag + SHORTEST_BLOCK:
            self._runs = runs[: len(runs) - lag]
            self._block.extend(map(_proposal_of, self._runs[known:]))
            known = len(self._runs)
        later = chain(map(_proposal_of, runs[known:]), pending)
        return Asked(later, self._block)


Choose = Callable[[Asked, Sequence[Proposal]], Proposal | None]
"""Maps all launches and the pending ones to the next; None when none is worth launching now."""


def seed_for(seed: int, asked: Asked) -> int:
    """Return the seed of the next launch; no two launches of a sweep share a seed."""
    return seed_of(seed, len(asked))


def one_by_one(
    choose: Choose, asked: Asked, pending: Sequence[Proposal], count: int
) -> list[Proposal]:
    """Choose up to `count` launches, each as if those before it were pending already.

    So a batch of k launches is the same as k single requests, and its launches differ.
    """
    chosen: list[Proposal] = []
    while len(chosen) < count:
        proposal = choose(asked, [*pending, *chosen])
        if proposal is None:
            break
        chosen.append(proposal)
        asked.extend([proposal])
    return chosen
