"""Rate of false differences by `compare` between two arms of one method.

`python -m tests.benchmarks.coverage.arms`: one, two, three and five seeds an arm, on synthetic
sweeps of 12 runs and two objectives that differ by training luck and answers, on common prompts.
"""

from __future__ import annotations

import argparse

import numpy as np

from paretoflow.front.dominance import nondominated
from paretoflow.front.seeds import arm_change, luck_of
from paretoflow.front.worth import Worth, worth
from tests.benchmarks.coverage.worlds import WORLDS, Formula, Shipped, world_of

SEEDS = (1, 2, 3, 5)
RUNS, DRAWS = 12, 200


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=100)
    trials = parser.parse_args().trials
    print("| world | " + " | ".join(f"{s} seeds an arm" for s in SEEDS) + " |")
    print("|" + " --- |" * (1 + len(SEEDS)))
    for kind in WORLDS:
        found = np.array([_trial(kind, seed) for seed in range(trials)])
        print(f"| {kind} | " + " | ".join(f"{share:.0%}" for share in found.mean(axis=0)) + " |")


def _trial(kind: str, seed: int) -> list[bool]:
    """Return for each number of seeds whether the interval of the change excludes 0."""
    rng = np.random.default_rng([seed, 5])
    world = world_of(kind, 2, seed)
    ref = np.full(2, 0.1 if kind == "llm_like" else 0.0)
    arms = [[_worth(world, rng, ref) for _ in range(max(SEEDS))] for _ in range(2)]
    told = []
    for count in SEEDS:
        first, second = (arm[:count] for arm in arms)
        low, high = arm_change(first, second, luck_of([first, second], shared=True))
        told.append(low > 0 or high < 0)
    return told


def _worth(world: Formula | Shipped, rng: np.random.Generator, ref: np.ndarray) -> Worth:
    sweep = world.scored(world.policies(RUNS, rng), rng)  # type: ignore[arg-type]
    index = np.flatnonzero(nondominated(sweep.gains.mean(axis=2)))
    return worth(sweep.gains, index, ref, draws=DRAWS)


if __name__ == "__main__":
    main()
