"""Predicts the outcomes of mixtures by a quadratic in their coefficients.

All outcomes here are normalised gains, 0 at the nadir and 1 at the ideal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.front.simplex import even_simplex, lattice_at_least

EDGE = 0.01
"""Smallest distance of outcomes from 0 and 1 before their logit is taken."""
DIRECTIONS, GENERATIONS = 40, 40
"""Numbers of NSGA-III: reference directions (and mixtures in a generation), and generations."""
PRIOR = 1e-6
"""Weight of the prior towards zero, which keeps the leverage of a small sample finite."""


def unknowns(count: int) -> int:
    """Return the number of parameters of a quadratic in k coefficients: (k + 1)(k + 2) / 2."""
    return (count + 1) * (count + 2) // 2


@dataclass(frozen=True)
class Quadratics:
    """M(c) = e + b.c + c'Ac / 2 for each of m outcomes, fitted by least squares.

    By hand, k = 1: outcomes 0, 0.75 and 1 at c = 0, 0.5 and 1 are 2c - c^2.

    Args:
        table: Shape (unknowns, m): for 1, each c_i, and each c_i c_j with i <= j.
        information: The features' second moments, shape (unknowns, unknowns).
        logit: Whether the quadratic is of the outcome's logit.

    References:
        Li et al. 2024, arXiv 2406.07529 (MAP), sec. 3.2. Departures: (1) the experts and the base
        are points of the fit too, as they are known already; (2) with fewer points than unknowns
        the table of smallest norm is used.
    """

    table: FloatArray
    information: FloatArray
    logit: bool

    @classmethod
    def fitted(cls, mixtures: FloatArray, outcomes: FloatArray, *, logit: bool) -> Quadratics:
        """Fit a quadratic to each outcome.

        Args:
            mixtures: Coefficients, shape (n, k).
            outcomes: Normalised gains, shape (n, m).
            logit: Whether to fit logits.
        """
        features = features_of(mixtures)
        kept = np.clip(outcomes, EDGE, 1 - EDGE)
        wanted = np.log(kept / (1 - kept)) if logit else outcomes
        table = np.asarray(np.linalg.lstsq(features, wanted, rcond=None)[0], dtype=np.float64)
        return cls(table, features.T @ features, logit)

    def outcomes(self, mixtures: FloatArray) -> FloatArray:
        """Return predicted normalised gains, shape (n, m)."""
        fitted = features_of(mixtures) @ self.table
        return 1 / (1 + np.exp(-fitted)) if self.logit else fitted

    def doubt(self, mixtures: FloatArray, planned: FloatArray) -> FloatArray:
        """Return the uncertainty of the fit at mixtures, shape (n,): the root of their leverage.

        Args:
            mixtures: Coefficients, shape (n, k).
            planned: Pending mixtures, shape (p, k); they count as measured already.
        """
        coming, features = features_of(planned), features_of(mixtures)
        known = self.information + coming.T @ coming + PRIOR * np.eye(len(self.table))
        leverage = (features * np.linalg.solve(known, features.T).T).sum(axis=1)
        root: FloatArray = np.sqrt(np.maximum(leverage, 0.0))
        return root


def features_of(mixtures: FloatArray) -> FloatArray:
    """Return 1, each c_i, and each c_i c_j with i <= j, shape (n, unknowns)."""
    count = mixtures.shape[1]
    first, second = np.triu_indices(count)
    ones = np.ones((len(mixtures), 1))
    return np.hstack([ones, mixtures, mixtures[:, first] * mixtures[:, second]])


def latin_hypercube(count: int, dimensions: int, rng: np.random.Generator) -> FloatArray:
    """Return points in the unit cube, shape (count, dimensions), one in each slice of each side."""
    slices = np.stack([rng.permutation(count) for _ in range(dimensions)], axis=1)
    return (slices + rng.random((count, dimensions))) / count


def predicted_front(fit: Quadratics, seed: int) -> FloatArray:
    """Return the mixtures in the unit cube on the fit's front, by NSGA-III, shape (n, k).

    References:
        Deb and Jain 2014, IEEE Trans. Evol. Comput. 18(4) (NSGA-III), through pymoo.
    """
    from pymoo.algorithms.moo.nsga3 import NSGA3
    from pymoo.core.problem import Problem
    from pymoo.optimize import minimize

    m = fit.table.shape[1]
    count = next(k for k in range(1, 99) if unknowns(k) == len(fit.table))

    def evaluate(x: FloatArray, out: dict[str, FloatArray], *_: object) -> None:
        out["F"] = -fit.outcomes(x)

    problem = Problem(n_var=count, n_obj=m, xl=0.0, xu=1.0)
    problem._evaluate = evaluate
    directions = lattice_at_least(m, DIRECTIONS) if m < 4 else even_simplex(m, DIRECTIONS)
    algorithm = NSGA3(ref_dirs=directions, pop_size=len(directions))
    found = minimize(problem, algorithm, ("n_gen", GENERATIONS), seed=seed)
    return np.atleast_2d(np.asarray(found.X, dtype=np.float64))
