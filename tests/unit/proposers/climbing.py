"""Runs that are cut short: a few steps, from scratch or from where another run ended."""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import FloatArray, Proposal
from tests.histories import Front


class Climb(Front):
    """Gradient ascent on m bells, f_i = exp(-|z - c_i|^2), cut off after some steps.

    The front is concave with centres so far apart, so a converged weighted run finds one of its
    ends; a truncated run passes along it. Constrained runs climb the target and every objective
    below its threshold.

    Args:
        m: Number of objectives; centres are the corners of a simplex.
        steps: Of a run.
        noise: Standard deviation of what the proposer sees.
    """

    def __init__(self, m: int, steps: int, noise: float = 0.0, rate: float = 0.05) -> None:
        self.centres = 1.2 * np.eye(m)
        shares = np.random.default_rng(3).dirichlet(np.ones(m), 2000)
        super().__init__(self._bells(shares @ self.centres), noise=noise)
        self._places = list(shares @ self.centres)
        self._steps, self._rate = steps, rate

    def answer(self, proposal: Proposal) -> int:
        """Train, and return the row of the policy that was reached."""
        m = len(self.centres)
        start = None if proposal.parent is None else self._places[self.known[proposal.parent]]
        z = np.zeros(m) if start is None else start.copy()
        for _ in range(self._steps):
            bells = self._bells(z[None])[0]
            weights = proposal.weights.array
            if proposal.thresholds is not None:
                weights = (bells < np.array(proposal.thresholds)) + np.eye(m)[proposal.target or 0]
            z = z + self._rate * 2 * ((weights * bells) @ (self.centres - z))
        self._places.append(z)
        self.gains = np.vstack([self.gains, self._bells(z[None])])
        return len(self.gains) - 1

    def _bells(self, places: FloatArray) -> FloatArray:
        squares = ((places[:, None, :] - self.centres) ** 2).sum(axis=2)
        return np.asarray(np.exp(-squares), dtype=np.float64)
