"""Order of a run's training examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from paretoflow.core.errors import MethodError
from paretoflow.core.protocols import Candidates
from paretoflow.core.values import FloatArray, IntArray

T = TypeVar("T")


@dataclass(frozen=True)
class Stratum(Generic[T]):
    """Items with a common share of the draws: each item is drawn once before any repeats.

    Args:
        share: Share of the draws, relative to the other shares.
        items: In a fixed order.
    """

    share: float
    items: Sequence[T]


class Draws(Generic[T]):
    """Runs through all items under the weights in a shuffled order, then a new shuffle, endlessly.

    Each stratum runs through its own items, and has its share of any number of first draws, to
    within one or two. A draw is a pure function of (number, weights, seed), so callers may draw in
    any order.

    Args:
        strata: Maps weights, shape (m,), to the strata under them, in a fixed order.
    """

    def __init__(self, strata: Callable[[FloatArray], Sequence[Stratum[T]]], seed: int) -> None:
        self._all = strata
        self._seed = seed
        self._strata: tuple[bytes, list[Stratum[T]]] | None = None
        self._turns: tuple[IntArray, IntArray] | None = None
        self._orders: dict[int, tuple[tuple[int, int], IntArray]] = {}

    def draw(self, numbers: Sequence[int], weights: FloatArray) -> list[T]:
        """Return the items of the given draws under the weights.

        Raises:
            MethodError: If no prompt has two answers with different weighted scores.
        """
        strata = self._under(weights)
        if not strata:
            raise MethodError(
                f"weights {np.round(weights, 4).tolist()} tell no two answers to a prompt apart",
                hint="sample more candidates per prompt, or at a higher temperature",
                code="training-nothing-to-learn",
            )
        return [self._item(strata, n) for n in numbers]

    def _item(self, strata: list[Stratum[T]], number: int) -> T:
        stratum, place = self._turn(strata, number)
        items = strata[stratum].items
        order = self._shuffle(stratum, place // len(items), len(items))
        return items[order[place % len(items)]]

    def _turn(self, strata: list[Stratum[T]], number: int) -> tuple[int, int]:
        """Return the stratum of a draw, and the number of its earlier draws."""
        if len(strata) == 1:
            return 0, number
        if self._turns is None or len(self._turns[0]) <= number:
            count = max(1024, 2 * (number + 1))
            self._turns = turns([stratum.share for stratum in strata], count)
        stratum, place = self._turns
        return int(stratum[number]), int(place[number])

    def _under(self, weights: FloatArray) -> list[Stratum[T]]:
        key = weights.tobytes()
        if self._strata is None or self._strata[0] != key:
            found = [s for s in self._all(weights) if s.share > 0 and len(s.items)]
            self._strata, self._turns = (key, found), None
        return self._strata[1]

    def _shuffle(self, stratum: int, epoch: int, count: int) -> IntArray:
        known = self._orders.get(stratum)
        if known is None or known[0] != (epoch, count):
            order = np.random.default_rng((self._seed, epoch)).permutation(count)
            known = self._orders[stratum] = ((epoch, count), order)
        return known[1]


def turns(shares: Sequence[float], count: int) -> tuple[IntArray, IntArray]:
    """Return the stratum of each draw, and the number of its earlier draws, shape (count,) each.

    The k-th draw of a stratum, from 0, is due at (k + 1/2) / share, the first of equals first: so
    the first n draws do not depend on `count`.

    By hand, shares (3, 1): due at 0.67, 2, 3.33, 4.67 and at 2, 6 of 4 draws: 0, 0, 1, 0.

    Args:
        shares: Positive.
        count: Number of draws.
    """
    parts = np.asarray(shares, dtype=np.float64) / sum(shares)
    each = [np.arange(int(np.ceil(count * part)) + 2) for part in parts]
    due = np.concatenate([(k + 0.5) / part for k, part in zip(each, parts, strict=True)])
    order = np.argsort(due, kind="stable")[:count]
    owner = np.repeat(np.arange(len(parts)), [len(k) for k in each])[order]
    return owner.astype(np.int64), np.concatenate(each)[order].astype(np.int64)


def by_source(
    candidates: Candidates, items: Sequence[T], prompt_of: Callable[[T], int]
) -> list[Stratum[T]]:
    """Return items from human feedback and items from the base's own answers as separate strata.

    Args:
        candidates: Have the share of each source.
        items: In the order of their prompts.
        prompt_of: Returns the index of an item's prompt.
    """
    given = candidates.given
    if given is None:
        return [Stratum(1.0, items)]
    theirs = [item for item in items if prompt_of(item) < given.rows]
    own = [item for item in items if prompt_of(item) >= given.rows]
    return [Stratum(given.share, theirs), Stratum(1.0 - given.share, own)]
