"""Problems with a known front: a name, a family, and the split into tuning and verdict.

The split is by family and was fixed before any measurement: proposers may be tuned on the families
of `TUNING`; the project's claims about them use the others alone.

    zdt, bulge, treasure            tuning
    dtlz, mw, re, morl              verdict
    recorded                        verdict: sweeps of real runs, replayed
    llm                             tuning: the oracle of `engine.simulation.llm_like`
    six                             six objectives, see `many`
    sealed_…                        see `sealed`: written before the default was first chosen for
                                    small budgets, run once, and used for tuning since
    unseen_…                        see `unseen`: written before the present default, run once
                                    afterwards; all others were used for tuning
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.engine.oracles import AnyOracle
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.simplex import das_dennis
from tests.benchmarks.proposers.llm import LlmLike, llm_front
from tests.benchmarks.proposers.trainable import (
    Trainable,
    botorch_problem,
    known_front,
    pymoo_problem,
)

RECORDED = Path(__file__).parent / "recorded"
TUNING = ("zdt", "bulge", "treasure", "llm")
REF = -0.1
"""Reference point in every normalised gain."""
WEIGHTS = 2000
CONVEX, CONCAVE = 0.98, 0.6
"""Share of a front's hypervolume that weighted sums reach: above, below which it is called so."""
FINE_2 = np.stack([np.linspace(0, 1, 501), np.linspace(1, 0, 501)], axis=1)


@dataclass(frozen=True)
class Known:
    """A problem whose front is known.

    Args:
        name: Unique.
        family: Decides whether it is for tuning or for the verdict.
        raw: Returns the front's gains in the problem's own units, shape (k, m).
        trainable: The problem as a function, for the oracle that optimises; None if there is none.
        recorded: File of a recorded sweep to replay; None for any other problem.
        prompted: Makes an oracle that tells scores by prompt, from the front's ends, shape (m,)
            each, and the sweep's seed; None for any other problem.
    """

    name: str
    family: str
    raw: Callable[[], FloatArray]
    trainable: Callable[[], Trainable] | None = None
    recorded: Path | None = None
    prompted: Callable[[FloatArray, FloatArray, int], AnyOracle] | None = None

    @property
    def for_tuning(self) -> bool:
        """Return whether proposers may be tuned on it."""
        return self.family in TUNING


@dataclass(frozen=True)
class Target:
    """A front in normalised gains: every objective from 0, its worst on the front, to 1, its best.

    Args:
        gains: Distinct non-dominated points, shape (k, m).
        low: Raw gain that 0 stands for, shape (m,).
        high: Raw gain that 1 stands for, shape (m,).
        volume: Hypervolume against `REF`.
    """

    gains: FloatArray
    low: FloatArray
    high: FloatArray
    volume: float

    @property
    def shape(self) -> str:
        """Return convex, concave or mixed, by what weighted sums reach of the front."""
        weights = np.random.default_rng(0).dirichlet(np.ones(self.m), WEIGHTS)
        best = np.unique((weights @ self.gains.T).argmax(axis=1))
        reach = self.share(self.gains[best])
        return "convex" if reach > CONVEX else "concave" if reach < CONCAVE else "mixed"

    @property
    def m(self) -> int:
        """Return the number of objectives."""
        return self.gains.shape[1]

    def share(self, gains: FloatArray) -> float:
        """Return the share of the front's hypervolume that points dominate."""
        return hypervolume(gains, np.full(self.m, REF)) / self.volume


@cache
def target_of(problem: Known) -> Target:
    """Return a problem's front, normalised."""
    raw = np.asarray(problem.raw(), dtype=np.float64)
    raw = raw[nondominated(raw)]
    low, high = raw.min(axis=0), raw.max(axis=0)
    gains = (raw - low) / (high - low)
    return Target(gains, low, high, hypervolume(gains, np.full(gains.shape[1], REF)))


def pymoo_front(name: str, m: int = 2, **options: Any) -> FloatArray:
    """Return a front that pymoo knows by formula, as gains."""
    from pymoo.problems import get_problem

    sizes = {"n_var": 10, "n_obj": m} if name.startswith(("dtlz", "convex")) else {}
    with np.errstate(divide="ignore"):
        front = get_problem(name, **sizes).pareto_front(use_cache=False, **options)
    return -np.asarray(front)


def mw_front(name: str, m: int = 2) -> FloatArray:
    """Return a front of the MW suite, finer than pymoo's default."""
    return pymoo_front(name, m, ref_dirs=(FINE_2 if m == 2 else das_dennis(3, 40)).copy())


def dtlz7_front() -> FloatArray:
    """Return DTLZ7's four pieces for three objectives: its formula at g = 1, on a grid."""
    x = np.stack(np.meshgrid(*[np.linspace(0, 1, 121)] * 2), axis=-1).reshape(-1, 2)
    last = 2 * (3 - (x / 2 * (1 + np.sin(3 * np.pi * x))).sum(axis=1))
    gains = -np.column_stack([x, last])
    kept = gains[nondominated(gains)]
    return kept[:: max(1, len(kept) // 900)]


def sphere_front(m: int, sign: float) -> FloatArray:
    """Return a part of a sphere: bulging towards the ideal (1, convex) or the nadir (-1)."""
    points = FINE_2 if m == 2 else das_dennis(m, 30)
    points = points / np.linalg.norm(points, axis=1, keepdims=True)
    return points if sign > 0 else 1 - points


def morl_front(environment: str, gamma: float) -> FloatArray:
    """Return the front that mo-gymnasium tabulates for an environment."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mo_gymnasium

        env = mo_gymnasium.make(environment).unwrapped
        return np.array(env.pareto_front(gamma), dtype=np.float64)


def _zdt(name: str) -> Known:
    size = {"n_points" if name == "zdt3" else "n_pareto_points": 500}
    return Known(name, "zdt", partial(pymoo_front, name, **size), partial(pymoo_problem, name))


def _dtlz(name: str) -> Known:
    front = partial(pymoo_front, name, 3, ref_dirs=das_dennis(3, 40))
    return Known(name, "dtlz", front, partial(pymoo_problem, name, 3, 10))


def _real(name: str, trains: bool = False) -> Known:
    function = partial(botorch_problem, name) if trains else None
    return Known(name, "re", partial(known_front, name), function)


def _llm(world: int, m: int) -> Known:
    oracle = partial(LlmLike, world)
    return Known(f"llm_{m}_{world}", "llm", partial(llm_front, world, m), prompted=oracle)


PROBLEMS = (
    _zdt("zdt1"),
    _zdt("zdt2"),
    _zdt("zdt3"),
    Known("circle_convex", "bulge", partial(sphere_front, 2, 1.0)),
    Known("circle_concave", "bulge", partial(sphere_front, 2, -1.0)),
    Known("sphere_convex", "bulge", partial(sphere_front, 3, 1.0)),
    Known("sphere_concave", "bulge", partial(sphere_front, 3, -1.0)),
    Known("treasure_convex", "treasure", partial(morl_front, "deep-sea-treasure-v0", 0.99)),
    Known(
        "treasure_concave", "treasure", partial(morl_front, "deep-sea-treasure-concave-v0", 0.99)
    ),
    *(_llm(world, m) for m in (2, 3) for world in range(3)),
    _dtlz("dtlz2"),
    _dtlz("convex_dtlz2"),
    Known("dtlz7", "dtlz", dtlz7_front, partial(pymoo_problem, "dtlz7", 3, 10)),
    Known("mw2", "mw", partial(mw_front, "mw2")),
    Known("mw6", "mw", partial(mw_front, "mw6")),
    Known("mw8", "mw", partial(mw_front, "mw8", 3)),
    Known("mw12", "mw", partial(mw_front, "mw12")),
    Known("truss", "re", partial(pymoo_front, "truss2d")),
    _real("vehicle_safety", trains=True),
    _real("car_side_impact", trains=True),
    _real("penicillin"),
    _real("disc_brake"),
    _real("welded_beam"),
    Known("minecart", "morl", partial(morl_front, "minecart-v0", 0.98)),
    Known("fruit_tree", "morl", partial(morl_front, "fruit-tree-v0", 0.99)),
)
"""Every problem with a front, those for tuning first."""


def recorded_problems(folder: Path = RECORDED) -> list[Known]:
    """Return a problem for each recorded sweep in a folder (see `oracles.ReplayOracle`)."""
    return [
        Known(path.stem, "recorded", partial(recorded_front, path), recorded=path)
        for path in sorted(folder.glob("*.json"))
    ]


def recorded_front(path: Path) -> FloatArray:
    """Return the gains of every checkpoint in a recorded sweep."""
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
    return np.vstack([np.array(run["gains"], dtype=np.float64) for run in runs])


def problems_named(names: list[str] | None = None) -> list[Known]:
    """Return the problems whose name or family is among `names`; all but the sealed if none are.

    Raises:
        ValueError: If a name is neither a problem nor a family.
    """
    every = [*PROBLEMS, *recorded_problems()]
    if not names:
        return every
    from tests.benchmarks.proposers.many import MANY
    from tests.benchmarks.proposers.sealed import FRESH, SEALED
    from tests.benchmarks.proposers.unseen import UNSEEN, UNSEEN_MANY

    every += [*SEALED, *FRESH, *MANY, *UNSEEN, *UNSEEN_MANY]
    known = {p.name for p in every} | {p.family for p in every}
    unknown = sorted(set(names) - known)
    if unknown:
        raise ValueError(f"unknown problems {unknown}; there are {sorted(known)}")
    return [p for p in every if p.name in names or p.family in names]
