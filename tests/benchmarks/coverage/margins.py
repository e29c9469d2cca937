"""Margins by which claimed points are truly beaten: `python -m tests.benchmarks.coverage.margins`.

For each claimed point that another truly dominates, the margin is that of the rival with the
largest smallest lead over the objectives, in standard errors of their paired difference.
"""

from __future__ import annotations

import argparse

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.front.dominance import nondominated
from tests.benchmarks.coverage.worlds import PROMPTS, WORLDS, Scored, world_of

SETTINGS = ((12, 2), (12, 3), (32, 3))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=25)
    trials = parser.parse_args().trials
    print("| world, runs, objectives | truly beaten | median lead | by its own run alone |")
    print("| --- | --- | --- | --- |")
    for kind in WORLDS:
        for runs, m in SETTINGS:
            claimed, leads, own = 0, list[float](), list[bool]()
            for seed in range(trials):
                rng = np.random.default_rng([seed, runs, m])
                world = world_of(kind, m, seed)
                policies = world.policies(runs, rng)
                sweep = world.scored(policies, rng)  # type: ignore[arg-type]
                index = np.flatnonzero(nondominated(sweep.gains.mean(axis=2)))
                claimed += len(index)
                for number in index:
                    found = _beaten(sweep, index, int(number))
                    if found is not None:
                        leads.append(found[0])
                        own.append(found[1])
            share, lead = len(leads) / claimed, np.median(leads)
            print(f"| {kind}, {runs}, {m} | {share:.0%} | {lead:.2f} | {np.mean(own):.0%} |")


def _beaten(sweep: Scored, index: FloatArray, number: int) -> tuple[float, bool] | None:
    """Return the surest rival's least lead, and whether all rivals are of the point's own run."""
    truth = sweep.truth[index] - sweep.truth[number]
    rivals = index[(truth >= 0).all(axis=1) & (truth > 0).any(axis=1)]
    if not len(rivals):
        return None
    apart = sweep.gains[rivals] - sweep.gains[number]
    errors = apart.std(axis=2, ddof=1) / PROMPTS**0.5
    leads = (sweep.truth[rivals] - sweep.truth[number]) / np.maximum(errors, 1e-12)
    # the base comes first, then two checkpoints of each run
    own = (rivals - 1) // 2 == (number - 1) // 2
    return float(leads.min(axis=1).max()), bool(own.all())


if __name__ == "__main__":
    main()
