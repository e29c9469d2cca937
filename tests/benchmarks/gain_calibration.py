"""Calibration of the expected gain of a further run: predicted against realised gains of sweeps.

`python -m tests.benchmarks.gain_calibration`; three minutes at most. Sweeps are simulated on known
fronts: a run returns the best point for its launch, or a point short of it, with noise. After each
run, the estimate is compared with the hypervolume that the next `AHEAD` runs really added (of the
true gains of the points that the sweep claims). The constants of `proposers.outlook` were chosen on
the families ZDT and the hand-made shapes; the other families were not used for that.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.values import FloatArray, History, Proposal
from paretoflow.front.hypervolume import hypervolume
from paretoflow.proposers import build
from paretoflow.proposers.outlook import AHEAD, GainEstimate, expected_gain
from paretoflow.spec.proposers import (
    CmorlProposerSpec,
    DirichletProposerSpec,
    EmptyBoxProposerSpec,
    LatticeProposerSpec,
    ProposerSpec,
)
from tests.benchmarks.results_file import write_table
from tests.histories import Front, circle, sphere, swept, zdt1

RUNS = 40
EVERY = 2
"""One run in so many is looked at."""
FAILURES = 0.02
NOISES = (0.0, 0.02)
SHORTFALLS = (0.0, 0.1)
"""Standard deviation of how far runs end below the front, over all of their objectives."""
THRESHOLDS = (0.01, 0.005, 0.002)
EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, np.inf)
PROPOSERS: tuple[ProposerSpec, ...] = (
    EmptyBoxProposerSpec(type="empty_box"),
    CmorlProposerSpec(type="cmorl"),
    DirichletProposerSpec(type="dirichlet"),
    LatticeProposerSpec(type="lattice"),
)


@dataclass
class UnevenFront(Front):
    """Runs that end below the front: each by its own share of the way to the nadir."""

    shortfall: float = 0.0
    rng: np.random.Generator | None = None

    def answer(self, proposal: Proposal) -> int:
        """Return a row added to `gains` for this run: a point of the front, less what it lacks."""
        best = super().answer(proposal)
        if not self.shortfall or self.rng is None:
            return best
        short = self.gains[best] * (1 - abs(self.rng.normal(0.0, self.shortfall)))
        self.gains = np.vstack([self.gains, short])
        return len(self.gains) - 1


@dataclass(frozen=True)
class Outcome:
    """An estimate, and what came of it: the mean share that each of the next runs added."""

    estimate: GainEstimate
    realised: float


def fronts(held_out: bool) -> dict[str, FloatArray]:
    """Return fronts as gains in the unit cube: of the families for tuning, or of the others."""
    if held_out:
        names = ("dtlz1", "dtlz2", "mw1", "mw2", "mw3", "mw4", "truss2d", "bnh")
        return {name: known_front(name) for name in names} | {"sphere, 4": sphere(2000, 4)}
    shapes = {"circle": circle(), "sphere": sphere(), "zdt1": zdt1()}
    return shapes | {name: known_front(name) for name in ("zdt3", "zdt6")}


def known_front(name: str) -> FloatArray:
    """Return the front of one of pymoo's problems as gains in the unit cube, shape (n, m)."""
    from pymoo.problems import get_problem
    from pymoo.util.ref_dirs import get_reference_directions

    problem = get_problem(name)
    spread = (get_reference_directions("das-dennis", 3, n_partitions=24),)
    losses = np.asarray(problem.pareto_front(*(spread if name.startswith("dtlz") else ())))
    low, high = losses.min(axis=0), losses.max(axis=0)
    return np.asarray((high - losses) / (high - low))


def sweep(spec: ProposerSpec, oracle: Front, seed: int, runs: int) -> list[tuple[History, float]]:
    """Run a sweep; return the history at each decision, with the true hypervolume of its claim."""
    seen: list[History] = []

    def look(history: History, pending: Sequence[Proposal], chosen: list[Proposal]) -> None:
        seen.append(history)

    proposer = build(spec, m=oracle.gains.shape[1], runs=runs)
    swept(proposer, oracle, runs, seed=seed, check=look)
    truth = np.array(list(oracle.known.values()))
    return [(h, hypervolume(oracle.gains[truth[h.front]], h.ref)) for h in seen]


def outcomes(told: Sequence[tuple[History, float]]) -> list[Outcome]:
    """Return the estimates along a sweep that `AHEAD` further runs have judged."""
    found = []
    pairs = list(zip(told, told[AHEAD:], strict=False))
    for (history, now), (_, then) in pairs[::EVERY]:
        estimate = expected_gain(history)
        if estimate is not None and now > 0:
            found.append(Outcome(estimate, (then - now) / AHEAD / now))
    return found


def sweeps(held_out: bool, quick: bool) -> Iterator[list[tuple[History, float]]]:
    """Run a sweep for every front, proposer, noise and shortfall."""
    settings = product(fronts(held_out).values(), PROPOSERS, NOISES, SHORTFALLS)
    for seed, (gains, spec, noise, short) in enumerate(settings):
        rng = np.random.default_rng(seed)
        oracle = UnevenFront(gains, noise, FAILURES, shortfall=short, rng=rng)
        yield sweep(spec, oracle, seed, 16 if quick else RUNS)


def reliability(judged: Sequence[Outcome]) -> list[list[object]]:
    """Return a row for each bin of predictions, and one for all."""
    told = np.array([[o.estimate.per_run, o.estimate.low, o.estimate.high] for o in judged])
    real = np.array([o.realised for o in judged])
    bins = [
        (f"{low:.1%} to {high:.1%}" if high < 1 else f"from {low:.1%}", _between(told, low, high))
        for low, high in pairwise(EDGES)
    ]
    bins.append(("all", np.ones(len(judged), dtype=np.bool_)))
    return [_row(name, told[chosen], real[chosen]) for name, chosen in bins if chosen.any()]


def _between(told: FloatArray, low: float, high: float) -> NDArray[np.bool_]:
    return np.asarray((told[:, 0] >= low) & (told[:, 0] < high))


def _row(name: str, told: FloatArray, real: FloatArray) -> list[object]:
    above, below = (real > told[:, 2]).mean(), (real < told[:, 1]).mean()
    means = (f"{told[:, 0].mean():.2%}", f"{real.mean():.2%}", f"{np.median(real):.2%}")
    return [name, len(real), *means, f"{1 - above - below:.0%}", f"{above:.0%}", f"{below:.0%}"]


def stops(told: Sequence[Sequence[tuple[History, float]]], gain_below: float) -> str:
    """Return in words what `stop.gain_below` would have saved and lost over sweeps."""
    saved, lost, stopped = 0, [], 0
    for run in told:
        at = next((i for i, (h, _) in enumerate(run) if _is_below(h, gain_below)), None)
        if at is not None:
            stopped += 1
            saved += len(run) - 1 - at
            lost.append(max(0.0, 1 - run[at][1] / run[-1][1]))
    runs = sum(len(run) - 1 for run in told)
    return (
        f"`gain_below: {gain_below:g}` stops {stopped} of {len(told)} sweeps and saves "
        f"{saved / runs:.0%} of all runs; the stopped ones lose {np.median(lost or [0.0]):.1%} of "
        f"their final hypervolume in the median, {np.quantile(lost or [0.0], 0.9):.1%} at the "
        "ninetieth percentile."
    )


def _is_below(history: History, gain_below: float) -> bool:
    estimate = expected_gain(history)
    return estimate is not None and estimate.per_run < gain_below


def main(quick: bool = False) -> None:
    """Run all sweeps, compare, and write the table."""
    began = time.perf_counter()
    rows: list[list[object]] = []
    told: list[list[tuple[History, float]]] = []
    for held_out, name in ((False, "tuning"), (True, "held out")):
        told = list(sweeps(held_out, quick))
        judged = [outcome for run in told for outcome in outcomes(run)]
        rows += [[name, *row] for row in reliability(judged)]
    notes = (
        f"Gains are shares of the present hypervolume, per run over the next {AHEAD} runs; "
        f"intervals are meant to cover 80 %. Tuning: {', '.join(fronts(False))}. Held out: "
        f"{', '.join(fronts(True))}. Proposers: {', '.join(s.type for s in PROPOSERS)}; noise "
        f"{NOISES}, shortfall {SHORTFALLS}, {FAILURES:.0%} failures, {RUNS} runs each, one seed "
        "for each setting. Held-out sweeps: "
    )
    notes += " ".join(stops(told, gain) for gain in THRESHOLDS)
    columns = ("families", "predicted", "estimates", "mean", "realised mean", "median")
    write_table(
        "gain_calibration",
        "What a further run should add, against what it added",
        "python -m tests.benchmarks.gain_calibration",
        [*columns, "within", "above", "below"],
        rows,
        notes,
        quick=quick,
    )
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main("--quick" in sys.argv)
