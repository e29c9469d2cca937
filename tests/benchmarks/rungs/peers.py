"""Peers of the rungs: MO-ASHA's rule, for promotion as its authors run it, and for stopping."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from paretoflow.core.ids import rng_of
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.engine.loop.pausing import Rungs
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.front.dominance import ranks
from paretoflow.spec.sweep import SweepSpec

REDUCTION = 3


def drawn_order(gains: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return the published order: by rank, and inside a front an epsilon-net from a drawn point."""
    rank, order = ranks(gains), []
    for level in range(int(rank.max()) + 1):
        left = rng.permutation(np.flatnonzero(rank == level))
        nearest = np.full(len(left), np.inf)
        for _ in left:
            chosen = int(nearest.argmax())
            order.append(int(left[chosen]))
            gaps = np.linalg.norm(gains[left] - gains[left[chosen]], axis=1)
            nearest = np.minimum(nearest, gaps)
            nearest[chosen] = -np.inf
    return np.array(order)


class Promotion(Rungs):
    """MO-ASHA as its authors run it."""

    def __init__(self, spec: SweepSpec) -> None:
        super().__init__(spec)
        self._tops: dict[int, tuple[int, Sequence[int]]] = {}

    def _verdict(self, state: SweepState, run_id: str, row: int) -> str:
        return "it waits for its promotion"

    def _all_risen(self, state: SweepState) -> tuple[str, ...]:
        first: set[int] = set()
        for level in range(len(self._steps)):
            rows = self._reached(level)
            if self._tops.get(level, (0, ()))[0] != len(rows):
                order = drawn_order(state.history().gains[rows], rng_of("promotion", rows[-1]))
                self._tops[level] = (len(rows), [rows[i] for i in order[: len(rows) // REDUCTION]])
            first.update(self._tops.get(level, (0, ()))[1])
        risen = [r for r in state.runs if r in state.paused and self._judged_at[r] in first]
        return tuple(sorted(risen, key=lambda r: -self._levels[r]))

    def _reached(self, level: int) -> list[int]:
        return sorted(self._members[level, True] + self._members[level, False])


class Stopping(Promotion):
    """The same order, for stopping runs for good."""

    def _verdict(self, state: SweepState, run_id: str, row: int) -> str:
        rows = [r for r in self._reached(self._levels[run_id] - 1) if r <= row]
        order = drawn_order(state.history().gains[rows], rng_of("stopping", row)).tolist()
        late = order.index(rows.index(row)) / len(rows) > 1 / REDUCTION
        return "others are better" if late else ""

    def _all_risen(self, state: SweepState) -> tuple[str, ...]:
        return ()


ARMS: dict[str, Callable[[SweepSpec], Rungs]] = {
    "MO-ASHA, promotion": Promotion,
    "MO-ASHA, stopping": Stopping,
    "rungs": Rungs,
}
