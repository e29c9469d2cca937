"""Finds the configurations that a model expects in the Pareto set: one particle per preference.

A particle is a configuration: weights on the simplex, then the places of settings in [0, 1]. It
descends its preference's Tchebycheff distance from the model's optimistic prediction to the best
known gains. All gains here are normalised.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paretoflow.core.values import FloatArray, IntArray
from paretoflow.front.simplex import even_simplex
from paretoflow.proposers.gaussian import GainModel, GaussianProcess
from paretoflow.proposers.kernels import ROOT5

STEPS = 12
"""Number of steps of the descent; the first has length `LONGEST`, the last is a tenth as long."""
LONGEST = 0.12
BEYOND = 0.05
"""Distance of the target point beyond the best of each objective."""
SUM_SHARE = 0.05
"""Share of the plain sum in the distance: of equally distant configurations the better wins."""
REPULSION = 1e-3
"""Weight of the repulsion beside the gradients in `stein`."""
DIRECTIONS, GENERATIONS = 32, 25
"""Numbers of reference directions and of generations of the evolutionary algorithms."""
TINY = 1e-12

Push = Callable[[FloatArray, FloatArray, IntArray], FloatArray]
"""Maps gradients (q, d), configurations (q, d) and active objectives (q,) to directions (q, d)."""


def optimistic(
    model: GainModel, where: FloatArray, optimism: float
) -> tuple[FloatArray, FloatArray]:
    """Return mean + optimism * deviation, shape (q, m), and its gradients, shape (q, m, d).

    Args:
        model: Of normalised gains.
        where: Configurations, shape (q, d).
        optimism: Deviations above the mean.
    """
    pairs = [_optimistic(process, where, optimism) for process in model.processes]
    return np.stack([v for v, _ in pairs], axis=1), np.stack([g for _, g in pairs], axis=1)


def _optimistic(
    process: GaussianProcess, where: FloatArray, optimism: float
) -> tuple[FloatArray, FloatArray]:
    from scipy.linalg import cho_solve

    kernel = process.kernel
    gaps = (where[None, :, :] - process.inputs[:, None, :]) / kernel.lengths
    far = ROOT5 * np.sqrt((gaps**2).sum(axis=2))
    fall = kernel.variance * np.exp(-far)
    across = kernel.mean_variance + fall * (1 + far + far**2 / 3)
    steep = -(5 / 3) * (fall * (1 + far))[:, :, None] * gaps / kernel.lengths
    share = cho_solve((process.root, True), across, check_finite=False)
    prior = kernel.mean_variance + kernel.variance
    sd = np.sqrt(np.maximum(prior - (across * share).sum(axis=0), TINY))
    values = kernel.mean + across.T @ process.pull + optimism * sd
    pulls = process.pull[:, None] - optimism * share / sd
    return values, np.einsum("nqd,nq->qd", steep, pulls)


def tchebycheff(
    gains: FloatArray, preferences: FloatArray, best: FloatArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return distances (q,), their gradients by gains (q, m), and the active objectives (q,).

    By hand: preference (.75, .25), gains (.5, .2), best (1, 1): the parts are .75 * .5 = .375 and
    .25 * .8 = .2; the distance is .375 + .05 * (.375 + .2) = .40375 and objective 0 is active.

    Args:
        gains: Shape (q, m).
        preferences: Shape (q, m), each on the simplex.
        best: Point that distances are measured to, shape (m,).

    References:
        Lin et al. 2022, arXiv 2210.08495, eq. 4: the augmented Tchebycheff scalarisation.
    """
    parts = preferences * (best - gains)
    active = parts.argmax(axis=1)
    rows = np.arange(len(parts))
    slopes = -SUM_SHARE * preferences
    slopes[rows, active] -= preferences[rows, active]
    return parts[rows, active] + SUM_SHARE * parts.sum(axis=1), slopes, active


def pareto_set(
    model: GainModel,
    preferences: FloatArray,
    starts: FloatArray,
    best: FloatArray,
    optimism: float,
    push: Push | None = None,
) -> FloatArray:
    """Return a configuration for each preference, shape (q, d).

    Args:
        model: Of normalised gains.
        preferences: Shape (q, m).
        starts: Starts of the particles, shape (q, d).
        best: Best gain in each objective, shape (m,).
        optimism: Deviations above the mean in an optimistic prediction.
        push: Changes the gradients that particles follow; None keeps them.
    """
    m, where = preferences.shape[1], starts
    for step in range(STEPS):
        gains, inner = optimistic(model, where, optimism)
        _, outer, active = tchebycheff(gains, preferences, best + BEYOND)
        slopes = np.einsum("qm,qmd->qd", outer, inner)
        slopes[:, :m] -= slopes[:, :m].mean(axis=1, keepdims=True)  # along the simplex
        down = -slopes if push is None else push(-slopes, where, active)
        lengths = np.linalg.norm(down, axis=1, keepdims=True)
        typical = float(np.sqrt((lengths**2).mean()))
        if typical < TINY:
            break
        reach = LONGEST * (1 - 0.9 * step / STEPS)
        where = projected(where + reach * down / np.maximum(lengths, typical), m)
    return where


def stein(gradients: FloatArray, where: FloatArray, active: IntArray) -> FloatArray:
    """Return the directions of particles that share gradients with near ones and repel them.

    The kernel is exp(-|x - y|^2 / h) between particles with the same active objective, else 0; h is
    the median of the squared distances over log(q + 1).

    By hand: two particles at 0 and 1 on a line, h = 1 / log 3, so that the kernel is 1/3; gradients
    3 and 0 become (3 + 0) / 2 = 1.5 and (1 + 0) / 2 = .5, and the repulsion adds
    2 * (1/3) * log 3 / 2 = .366 of `REPULSION`, down for the first and up for the second.

    References:
        Nguyen et al. 2024, arXiv 2412.17312 (SVH-PSL), after Liu and Wang 2016, arXiv 1608.04471,
        eq. 8. Departures: particles are the configurations themselves instead of a hypernetwork's
        outputs; the kernel is on configurations.
    """
    gaps = where[:, None, :] - where[None, :, :]
    squares = (gaps**2).sum(axis=2)
    off = squares[~np.eye(len(where), dtype=bool)]
    width = max(float(np.median(off)) if len(off) else 1.0, TINY) / np.log(len(where) + 1)
    kernel = np.exp(-squares / width) * (active[:, None] == active)
    repulsion = (kernel[:, :, None] * gaps).sum(axis=1) * 2 / width
    shared: FloatArray = (kernel @ gradients + REPULSION * repulsion) / len(where)
    return shared


def evolved_set(
    model: GainModel, optimism: float, algorithm: str, starts: FloatArray, seed: int
) -> FloatArray:
    """Return the Pareto set that an evolutionary algorithm finds for a model, shape (q, d).

    Args:
        model: Of normalised gains.
        optimism: Deviations above the mean in an optimistic prediction.
        algorithm: "nsga3" or "moead".
        starts: The first generation, shape (p, d); repeated to fill it.
        seed: Seed of the algorithm.

    References:
        Deb and Jain 2014, IEEE Trans. Evol. Comput. 18(4) (NSGA-III); Zhang and Li 2007, IEEE
        Trans. Evol. Comput. 11(6) (MOEA/D), with Tchebycheff distances; through pymoo.
    """
    from pymoo.algorithms.moo.moead import MOEAD
    from pymoo.algorithms.moo.nsga3 import NSGA3
    from pymoo.core.problem import Problem
    from pymoo.decomposition.tchebicheff import Tchebicheff
    from pymoo.optimize import minimize

    m = len(model.processes)

    def evaluate(x: FloatArray, out: dict[str, FloatArray], *_: object) -> None:
        out["F"] = -optimistic(model, projected(np.atleast_2d(x), m), optimism)[0]

    problem = Problem(n_var=starts.shape[1], n_obj=m, xl=0.0, xu=1.0)
    problem._evaluate = evaluate
    directions = even_simplex(m, DIRECTIONS)
    first = np.resize(starts, (len(directions), starts.shape[1]))
    if algorithm == "nsga3":
        method = NSGA3(ref_dirs=directions, pop_size=len(directions), sampling=first)
    else:
        method = MOEAD(ref_dirs=directions, sampling=first, decomposition=Tchebicheff())
    found = minimize(problem, method, ("n_gen", GENERATIONS), seed=seed)
    return projected(np.atleast_2d(np.asarray(found.X, dtype=np.float64)), m)


def projected(where: FloatArray, m: int) -> FloatArray:
    """Return the nearest configurations: weights on the simplex, places in [0, 1].

    By hand: weights (.9, .3) lie .2 above the simplex, half of it in each: (.8, .2); (1.2, -.4)
    becomes (1, 0).

    References:
        Duchi et al. 2008, ICML, fig. 1: projection onto the simplex.
    """
    weights = where[:, :m]
    ordered = -np.sort(-weights, axis=1)
    over = (ordered.cumsum(axis=1) - 1) / np.arange(1, m + 1)
    last = (ordered > over).sum(axis=1, keepdims=True) - 1
    kept = np.maximum(weights - np.take_along_axis(over, last, axis=1), 0.0)
    return np.hstack([kept, np.clip(where[:, m:], 0.0, 1.0)])
