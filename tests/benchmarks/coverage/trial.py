"""One synthetic sweep: its intervals, and the truth.

front     a sweep's front
diff      the same sweep after half of its runs, and at its end
seeds     another seed of the method, on the same prompts
again     the same policies with new answers (an A/A test)
looks     the same, with three copies of each policy on the second side (unequal looks)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.stacked import stacked_hypervolumes
from paretoflow.front.worth import Worth, worth, worth_less
from tests.benchmarks.coverage.worlds import Scored, world_of

DRAWS = 150
KINDS = ("front", "diff", "seeds", "again", "looks")
FIRST = 50
"""Trials of a setting that have `seeds` and `again`: they cost as much as all else."""


class Judged:
    """A sweep's front, judged before (main at e83c57a) and now.

    Before, the prompts of the already selected points alone were redrawn, and the ends of the 95 %
    interval were quantiles of the redrawn volumes.
    """

    def __init__(self, sweep: Scored, ref: FloatArray) -> None:
        means = sweep.gains.mean(axis=2)
        index = np.flatnonzero(nondominated(means))
        self.now: Worth = worth(sweep.gains, index, ref, draws=DRAWS)
        self.truth = hypervolume(sweep.truth[index], ref)
        own, n = sweep.gains[index], sweep.gains.shape[2]
        counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=DRAWS)
        redrawn = np.einsum("kmn,dn->dkm", own, counts / n, optimize=True)
        self.before = stacked_hypervolumes(redrawn, own.mean(axis=2), ref)
        true = sweep.truth[index]
        reaches = (true[None] >= true[:, None]).all(axis=2)
        passes = (true[None] > true[:, None]).any(axis=2)
        self.beaten = (reaches & passes).any(axis=1)


def trial(kind: str, runs: int, m: int, seed: int) -> dict[str, Any]:
    """Return what was said and true of one made-up sweep, and of others beside it."""
    rng = np.random.default_rng([seed, runs, m])
    world = world_of(kind, m, seed)
    ref = np.full(m, 0.0 if kind != "llm_like" else 0.1)
    policies: Any = world.policies(runs, rng)
    copies: Any = np.concatenate([policies] * 3) if kind != "llm_like" else list(policies) * 3
    sweep = world.scored(policies, rng)
    made: dict[str, Callable[[], Scored]] = {
        "diff": lambda: sweep.first(1 + 2 * (runs // 2)),
        "seeds": lambda: world.scored(world.policies(runs, rng), rng),  # type: ignore[arg-type]
        "again": lambda: world.scored(policies, rng),
        "looks": lambda: world.scored(copies, rng),
    }
    if seed >= FIRST:
        del made["seeds"], made["again"]
    whole = Judged(sweep, ref)
    found: dict[str, Any] = {"front": _of_front(whole)}
    for name, make in made.items():
        other = Judged(make(), ref)
        sides = (other, whole) if name == "diff" else (whole, other)
        found[name] = _of_two(*sides, shared=float(name == "diff"))
    found["doubts"] = [
        [round(float(p), 3), bool(b)] for p, b in zip(whole.now.doubts, whole.beaten, strict=True)
    ]
    return found


def _of_front(judged: Judged) -> dict[str, Any]:
    before = np.quantile(judged.before, [0.025, 0.975])
    return {
        "truth": judged.truth,
        "reported": judged.now.reported,
        "corrected": judged.now.corrected,
        "before": [float(v) for v in before],
        "now": list(judged.now.interval),
    }


def _of_two(first: Judged, second: Judged, shared: float) -> dict[str, Any]:
    before = np.quantile(second.before - first.before, [0.025, 0.975])
    return {
        "truth": second.truth - first.truth,
        "reported": second.now.reported - first.now.reported,
        "corrected": second.now.corrected - first.now.corrected,
        "before": [float(v) for v in before],
        "now": list(worth_less(first.now, second.now, paired=True, shared=shared)),
    }
