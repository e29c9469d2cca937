"""A confirmed sweep on other eval sets: is its own set unusual, and does its interval hold?

`python -m tests.benchmarks.coverage.splits SWEEP…`. Each sweep is confirmed on the rest of its
data, so that its front has scores on all prompts that its eval set could have had. The comparisons
are

- the eval set with the rest: lengths of prompts and references, scores of the base;
- the 95 % interval with the mean over all prompts, for many eval sets drawn at random. An eval set
  is a share f of n prompts, so errors are divided by sqrt(1 - f) to be those of a set from
  infinitely many. The front is selected again, among the points of the sweep's front.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paretoflow.core.protocols import Prompt
from paretoflow.core.values import BASE_RUN_ID, FloatArray, IntArray
from paretoflow.data import load_prompts, read_pools
from paretoflow.data.fresh import digest_of_prompts, fresh_of
from paretoflow.engine.read.confirmations import FOLDER, ConfirmationFile
from paretoflow.engine.read.sweep import read_sweep
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.front.worth import worth
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import as_folder

SPLITS, DRAWS = 1000, 300


@dataclass(frozen=True)
class Scored:
    """A front on all prompts, the eval set's first.

    Args:
        gains: Of the front's points, shape (k, m, n).
        base: Raw scores of the base, shape (m, n).
        names: Of the objectives.
        evals: Size of the eval set.
    """

    gains: FloatArray
    base: FloatArray
    ref: FloatArray
    names: Sequence[str]
    evals: int
    prompts: Sequence[Prompt]


def scored_of(place: str) -> Scored:
    """Return a confirmed sweep; one on the embedded task."""
    view, root = read_sweep(place), as_folder(place)
    spec = SweepSpec.model_validate(view.spec)
    name = Path(root.names(FOLDER)[0])
    file, problem = ConfirmationFile(root, name.stem), view.front.problem
    sets = load_prompts(spec.data, seed=spec.seed, render_chat=None)
    pools = read_pools(spec.data, None)
    fresh = fresh_of(pools, sets, spec.seed, None, lambda prompt: None, spec.data.eval)
    assert file.facts is not None
    assert digest_of_prompts(fresh.prompts) == file.facts.data
    rows = {r.snapshot_id: r for r in view.evaluations}

    def whole(name: str) -> FloatArray:
        parts = rows[name].prompt_scores, file.scores[name].prompt_scores
        return np.concatenate(parts, axis=1)

    base = next(name for name, row in rows.items() if row.run_id == BASE_RUN_ID)
    kept = [p.snapshot_id for p in view.front.points if p.snapshot_id in file.scores]
    gains = np.stack([gains_of(whole(name).T, problem).T for name in kept])
    evals = len(sets.eval)
    prompts = (*sets.eval, *fresh.prompts)
    return Scored(gains, whole(base), ref_gains(problem), problem.names, evals, prompts)


def told_of(scored: Scored) -> Iterator[str]:
    """Yield what the scores say, as lines of Markdown."""
    yield "| what | eval set | the other prompts | apart, in standard errors |"
    yield "| --- | --- | --- | --- |"
    facts = {
        "words of the documents": [sum(len(s.split()) for s in p.passages) for p in scored.prompts],
        "words of the references": [len(p.reference.split()) for p in scored.prompts],
    }
    facts |= {f"base, {name}": row for name, row in zip(scored.names, scored.base, strict=True)}
    for name, values in facts.items():
        yield _apart(name, np.array(values, dtype=float), scored.evals)
    n = scored.gains.shape[2]
    rng, share = np.random.default_rng(0), scored.evals / n
    chosen = [rng.permutation(n)[: scored.evals] for _ in range(SPLITS)]
    error, half, excess, corrected = np.array([_judged(scored, c) for c in chosen]).T
    error = error / np.sqrt(1 - share)
    own = _judged(scored, np.arange(scored.evals))
    yield ""
    yield (
        f"{SPLITS} eval sets of {scored.evals} of the {n} prompts, drawn at random: the interval "
        f"holds the truth in {np.mean(np.abs(error) <= half):.1%} (truth below in "
        f"{np.mean(error < -half):.1%}, above in {np.mean(error > half):.1%}); reported less true "
        f"{np.mean(excess):+.2g} on average, corrected less true {np.mean(corrected):+.2g}; "
        f"standard error {np.std(error):.2f}, told {np.mean(half) / 2.01:.2f}."
    )
    below = np.mean(corrected >= own[3])
    yield (
        f"The sweep's own eval set promises {own[3]:.2f} too much; {below:.1%} of the random ones "
        "promise as much or more."
    )


def _apart(name: str, values: FloatArray, evals: int) -> str:
    own, rest = values[:evals], values[evals:]
    error = np.sqrt(own.var(ddof=1) / len(own) + rest.var(ddof=1) / len(rest))
    apart = (own.mean() - rest.mean()) / error
    return f"| {name} | {own.mean():.4g} | {rest.mean():.4g} | {apart:+.1f} |"


def _judged(scored: Scored, chosen: IntArray) -> tuple[float, float, float, float]:
    """Return truth less corrected, half the interval, and reported and corrected less true."""
    clouds = scored.gains[:, :, chosen]
    index = np.flatnonzero(nondominated(clouds.mean(axis=2)))
    found = worth(clouds, index, scored.ref, draws=DRAWS)
    truth = hypervolume(scored.gains[index].mean(axis=2), scored.ref)
    low, high = found.interval
    over = found.corrected - truth
    return -over, (high - low) / 2, found.reported - truth, over


def main() -> None:
    """Print what each sweep says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sweeps", nargs="+")
    for sweep in parser.parse_args().sweeps:
        print(f"### {sweep}\n")
        print("\n".join(told_of(scored_of(sweep))), flush=True)


if __name__ == "__main__":
    main()
