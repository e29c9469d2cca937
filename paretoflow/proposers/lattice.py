"""`lattice`: a fixed lattice of weights, spread from coarse to fine; the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from paretoflow.core.values import History, LaunchKind, Proposal, WeightVector
from paretoflow.front.simplex import das_dennis, lattice_at_least, spread_order
from paretoflow.proposers.asked import Asked, Choose, seed_for
from paretoflow.proposers.stepwise import StepwiseProposer
from paretoflow.proposers.wording import preference
from paretoflow.spec.proposers import LatticeProposerSpec


class LatticeProposer(StepwiseProposer):
    """Takes the weights of a lattice in a fixed order and stops at its end; ignores results.

    Args:
        spec: Its options.
        m: Number of objectives.
        runs: Runs of the sweep; if `divisions` is unset, the lattice is the coarsest with as many
            points.

    References:
        Das and Dennis (1998), Normal-boundary intersection, SIAM J. Optim. 8(3), sec. 6. The order
        is ours: corners, then always the weights farthest from all before.
    """

    def __init__(self, spec: LatticeProposerSpec, *, m: int, runs: int) -> None:
        super().__init__()
        self._m = m
        self._runs = runs
        self._divisions = spec.divisions

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch: the next untried lattice point, if any."""
        order = ordered_lattice(self._m, self._divisions, self._runs)

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal | None:
            for place, weights in enumerate(order):
                if not asked.has_tried(weights.values):
                    return Proposal(
                        kind=LaunchKind.WEIGHTED,
                        weights=weights,
                        seed=seed_for(seed, asked),
                        reason=f"Place {place + 1} of {len(order)} on the lattice: "
                        f"{preference(weights, history.problem.names)}.",
                        proposer="lattice",
                        tag="lattice",
                    )
            return None

        return choose


@lru_cache(maxsize=8)
def ordered_lattice(m: int, divisions: int | None, runs: int) -> tuple[WeightVector, ...]:
    """Return the lattice's weights from coarse to fine.

    Args:
        m: Number of objectives.
        divisions: Steps along each edge; None takes the fewest that give `runs` points.
        runs: Runs of the sweep.
    """
    points = lattice_at_least(m, runs) if divisions is None else das_dennis(m, divisions)
    return tuple(WeightVector.of(points[i]) for i in spread_order(points))
