"""Problems as functions of x, for an oracle that optimises: pymoo's, and BoTorch's real-world ones.

`python -m tests.benchmarks.proposers.trainable` finds BoTorch's fronts again (`known/*.csv`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.front.dominance import nondominated
from paretoflow.proposers.spread import farthest_first

KNOWN = Path(__file__).parent / "known"
BOTORCH = {
    "vehicle_safety": "VehicleSafety",
    "car_side_impact": "CarSideImpact",
    "penicillin": "Penicillin",
    "disc_brake": "DiscBrake",
    "welded_beam": "WeldedBeam",
}
POINTS = {2: 200, 3: 500, 4: 700}
"""Points kept of a front that was found, by number of objectives."""


@dataclass(frozen=True)
class Trainable:
    """Objectives over the unit box.

    Args:
        dims: Length of u.
        gains: Of u, shape (n, dims), the gains (larger is better), shape (n, m), and by how much
            the constraints are missed, shape (n,), 0 where they are met.
    """

    dims: int
    gains: Callable[[FloatArray], tuple[FloatArray, FloatArray]]


@lru_cache(maxsize=32)
def pymoo_problem(name: str, m: int | None = None, dims: int | None = None) -> Trainable:
    """Return one of pymoo's problems without constraints."""
    from pymoo.problems import get_problem

    sizes = {k: v for k, v in (("n_obj", m), ("n_var", dims)) if v is not None}
    problem = get_problem(name, **sizes)
    low, high = problem.bounds()

    def gains(u: FloatArray) -> tuple[FloatArray, FloatArray]:
        losses = problem.evaluate(low + u * (high - low), return_values_of=["F"])
        return -np.asarray(losses), np.zeros(len(u))

    return Trainable(problem.n_var, gains)


@lru_cache(maxsize=32)
def botorch_problem(name: str) -> Trainable:
    """Return one of BoTorch's real-world problems, by its name here."""
    import torch
    from botorch.test_functions import multi_objective

    problem: Any = getattr(multi_objective, BOTORCH[name])()
    low, high = problem.bounds.double().numpy()
    constrained = hasattr(problem, "evaluate_slack_true")

    def gains(u: FloatArray) -> tuple[FloatArray, FloatArray]:
        x = torch.from_numpy(low + u * (high - low))
        slack = problem.evaluate_slack_true(x).numpy() if constrained else np.zeros((len(u), 1))
        return -problem.evaluate_true(x).numpy(), np.maximum(-slack, 0.0).sum(axis=1)

    return Trainable(problem.dim, gains)


def known_front(name: str) -> FloatArray:
    """Return the best known front of one of BoTorch's problems as raw gains, shape (k, m)."""
    return np.loadtxt(KNOWN / f"{name}.csv", delimiter=",", comments="#", ndmin=2)


def find_front(name: str, population: int, generations: int) -> FloatArray:
    """Search for a front by NSGA-II with a fixed seed; return some of all it ever met, spread out.

    Args:
        name: One of `BOTORCH`.
        population: Size of NSGA-II's population.
        generations: How many.
    """
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem as PymooProblem
    from pymoo.optimize import minimize

    task = botorch_problem(name)
    m = task.gains(np.full((1, task.dims), 0.5))[0].shape[1]
    best = np.empty((0, m))

    class Wrapped(PymooProblem):  # type: ignore[misc]
        def _evaluate(self, x: FloatArray, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            nonlocal best
            gains, missed = task.gains(x)
            best = np.vstack([best, gains[missed <= 0]])
            best = best[nondominated(best)]
            out["F"], out["G"] = -gains, missed[:, None]

    box = Wrapped(n_var=task.dims, n_obj=m, n_ieq_constr=1, xl=0.0, xu=1.0)
    minimize(box, NSGA2(pop_size=population), ("n_gen", generations), seed=1)
    scaled = (best - best.min(axis=0)) / np.ptp(best, axis=0)
    ends = np.unique(scaled.argmax(axis=0))
    more = farthest_first(scaled, scaled[ends], min(POINTS[m], len(best)) - len(ends))
    rows = best[np.concatenate([ends, more]).astype(int)]
    return rows[np.lexsort(rows.T[::-1])]


def main() -> None:
    """Compute all fronts of BoTorch's problems again."""
    KNOWN.mkdir(exist_ok=True)
    for name in BOTORCH:
        front = find_front(name, 300, 250)
        head = f"{BOTORCH[name]}: gains of the non-dominated points that NSGA-II met"
        np.savetxt(KNOWN / f"{name}.csv", front, fmt="%.7g", delimiter=",", header=head)
        print(name, front.shape, flush=True)


if __name__ == "__main__":
    main()
