"""The order in which one run meets what it learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np

from paretoflow.core.errors import MethodError
from paretoflow.core.values import FloatArray, IntArray

T = TypeVar("T")


class Draws(Generic[T]):
    """Runs through all items under the weights in a shuffled order, then a new shuffle, endlessly.

    A draw is a pure function of (number, weights, seed), so it does not matter who asks, or when.

    Args:
        items: Weights, shape (m,), to all items under them, in a fixed order.
    """

    def __init__(self, items: Callable[[FloatArray], Sequence[T]], seed: int) -> None:
        self._all = items
        self._seed = seed
        self._items: tuple[bytes, Sequence[T]] | None = None
        self._order: tuple[tuple[int, int], IntArray] | None = None

    def draw(self, numbers: Sequence[int], weights: FloatArray) -> list[T]:
        """Return the items of the given draws under the weights.

        Raises:
            MethodError: If no prompt has two answers that the weights tell apart.
        """
        items = self._under(weights)
        if len(items) == 0:
            raise MethodError(
                f"weights {np.round(weights, 4).tolist()} tell no two answers to a prompt apart",
                hint="sample more candidates per prompt, or at a higher temperature",
                code="training-nothing-to-learn",
            )
        count = len(items)
        return [items[self._shuffle(n // count, count)[n % count]] for n in numbers]

    def _under(self, weights: FloatArray) -> Sequence[T]:
        key = weights.tobytes()
        if self._items is None or self._items[0] != key:
            self._items = (key, self._all(weights))
        return self._items[1]

    def _shuffle(self, epoch: int, count: int) -> IntArray:
        if self._order is None or self._order[0] != (epoch, count):
            order = np.random.default_rng((self._seed, epoch)).permutation(count)
            self._order = ((epoch, count), order)
        return self._order[1]
