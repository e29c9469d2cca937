"""A real sweep on other prompts: is its eval set odd, and does its interval hold?

`python -m tests.benchmarks.coverage.splits SWEEP… --folder F`: scores every checkpoint of a sweep
on all prompts that its eval set could have been drawn from, several answers each, and compares

- the eval set with the rest: lengths, and what the base and the others score there;
- what the front was reported to be worth with what it is worth by other answers to the same
  prompts, and by the rest of the prompts;
- the 95 % interval with the mean over all prompts, for many eval sets drawn at random. The truth
  is known up to the other answers; an eval set is a share f of all prompts, so errors are divided
  by sqrt(1 - f) to be those of a set from infinitely many.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paretoflow.core.ids import seed_of
from paretoflow.core.protocols import Prompt
from paretoflow.core.values import BASE_RUN_ID, FloatArray, IntArray
from paretoflow.core.views import EvaluationRow, SweepView
from paretoflow.data import read_pools
from paretoflow.data.identity import identity_of
from paretoflow.engine.read.sweep import read_sweep
from paretoflow.engine.runtime.loaded import Loaded, loaded
from paretoflow.engine.runtime.prompts import needs_of, renderer_of
from paretoflow.engine.session.resume import load_sweep_spec
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.front.worth import worth
from paretoflow.lm.adapters import adapter_on
from paretoflow.scoring.evaluate import Evaluator
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import as_folder
from paretoflow.storage.cache import cached_adapter


@dataclass(frozen=True)
class Scored:
    """Scores of all checkpoints of a sweep.

    Args:
        gains: Shape (draws, k, m, n); the first draw has the seeds of the sweep's own evaluation.
        own: Which of the n prompts are the sweep's eval set.
        front: Which of the k checkpoints are its front.
        ref: Oriented reference point.
        facts: Of each prompt, by what they are called: words of the prompt and of the reference.
    """

    gains: FloatArray
    own: IntArray
    front: IntArray
    ref: FloatArray
    facts: dict[str, FloatArray]


def collected(sweep: str, folder: Path, draws: int) -> Scored:
    """Return the scores of a sweep's checkpoints, from the folder as far as they are there."""
    view, spec = read_sweep(sweep), load_sweep_spec(as_folder(sweep))
    found = loaded(spec, threads=1)
    prompts = _population(spec, found)
    texts = {p.text for p in found.prompts.eval}
    kept = _kept(view)
    scoring = _Scoring(view, spec, found, prompts, folder)
    each = [scoring.scores(row, draws) for row in kept]
    problem = view.front.problem
    gains = np.stack([[gains_of(draw, problem).T for draw in scores] for scores in each], axis=1)
    names = {p.snapshot_id for p in view.front.points}
    return Scored(
        gains,
        np.flatnonzero([p.text in texts for p in prompts]),
        np.flatnonzero([row.snapshot_id in names for row in kept]),
        ref_gains(problem),
        {
            "words of the prompt": np.array([len(p.text.split()) for p in prompts], float),
            "words of the reference": np.array([len(p.reference.split()) for p in prompts], float),
        },
    )


def _population(spec: SweepSpec, found: Loaded) -> list[Prompt]:
    pools = read_pools(spec.data, renderer_of(spec, found.lm))
    others = (*found.prompts.train, *found.prompts.validation)
    taken, unfit = {identity_of(p) for p in others}, needs_of(spec, found.lm).unfit
    new = {identity_of(p): p for p in reversed(pools.train if pools.eval is None else pools.eval)}
    return [p for asked, p in sorted(new.items()) if asked not in taken and unfit(p) is None]


def _kept(view: SweepView) -> list[EvaluationRow]:
    points = [row for row in view.evaluations if row.condition is None]
    return [row for row in points if row.path or row.run_id == BASE_RUN_ID]


@dataclass(frozen=True)
class _Scoring:
    """What scores checkpoints of a sweep on many prompts, and keeps the scores."""

    view: SweepView
    spec: SweepSpec
    found: Loaded
    prompts: Sequence[Prompt]
    folder: Path

    def scores(self, row: EvaluationRow, draws: int) -> FloatArray:
        """Return raw scores of a checkpoint, shape (draws, n, m)."""
        file = self.folder / f"{row.snapshot_id}.npy"
        if file.exists() and len(known := np.load(file)) >= draws:
            return np.asarray(known[:draws])
        root = as_folder(self.view.root)
        adapter = cached_adapter(root, row.path, row.digest) if row.path else None
        seed = self.spec.seed
        seeds = [seed_of(seed, "eval"), *(seed_of(seed, "splits", d) for d in range(1, draws))]
        panel = ObjectivePanel([o.name for o in self.spec.objectives], self.found.scorers)
        lm = self.found.lm
        drawn = self.spec.model.generation.model_copy(update={"batch_size": 256})
        with adapter_on(lm, adapter) as model:
            evaluators = [Evaluator(lm, drawn, panel, (), each) for each in seeds]
            scores = np.stack([e.prompt_scores(model, self.prompts) for e in evaluators])
        np.save(file, scores)
        print(f"{row.snapshot_id}: {len(self.prompts)} prompts, {draws} answers each", flush=True)
        return scores


def told_of(scored: Scored, splits: int) -> str:
    """Return what the scores say, as Markdown."""
    lines = ["| what | eval set | the other prompts | apart, in standard errors |"]
    lines.append("| --- | --- | --- | --- |")
    base = {f"base, objective {j}": scored.gains[:, 0, j].mean(axis=0) for j in range(_m(scored))}
    front = scored.gains[:, scored.front].mean(axis=(0, 1))
    mean = {f"front's points, objective {j}": front[j] for j in range(_m(scored))}
    lines += [_apart(name, x, scored.own) for name, x in (scored.facts | base | mean).items()]
    return "\n".join([*lines, "", *_worths(scored), "", *_splits(scored, splits)])


def _m(scored: Scored) -> int:
    return int(scored.gains.shape[2])


def _apart(name: str, values: FloatArray, own: IntArray) -> str:
    rest = np.delete(values, own)
    error = np.sqrt(values[own].var(ddof=1) / len(own) + rest.var(ddof=1) / len(rest))
    apart = (values[own].mean() - rest.mean()) / error
    return f"| {name} | {values[own].mean():.4g} | {rest.mean():.4g} | {apart:+.2f} |"


def _worths(scored: Scored) -> list[str]:
    """Return what the sweep's own front is worth by other answers, and by other prompts."""
    own, rest = scored.own, np.delete(np.arange(scored.gains.shape[3]), scored.own)
    cells = {
        "as reported: eval set, the sweep's own answers": (slice(0, 1), own),
        "eval set, other answers": (slice(1, None), own),
        "other prompts, all answers": (slice(None), rest),
    }
    lines = ["| the front on | hypervolume |", "| --- | --- |"]
    for name, (draws, prompts) in cells.items():
        means = scored.gains[draws][..., prompts].mean(axis=(0, 3))
        lines.append(f"| {name} | {hypervolume(means[scored.front], scored.ref):.4g} |")
    found = worth(scored.gains[0][..., own], scored.front, scored.ref)
    low, high = found.interval
    return [*lines, f"| corrected | {found.corrected:.4g} ({low:.4g} to {high:.4g}) |"]


def _splits(scored: Scored, splits: int) -> list[str]:
    """Return how often the interval of an eval set drawn at random holds the truth."""
    draws, _, _, n = scored.gains.shape
    size = len(scored.own)
    rng = np.random.default_rng(0)
    rows = np.array([_split(scored, rng, d % draws, size, n) for d in range(splits)])
    reported, corrected, half, truth, rest = rows.T
    scaled = (truth - corrected) / np.sqrt(1 - size / n)
    own = _errors_of(scored, scored.own, 0)
    rank = float(np.mean(rest - corrected <= own[4] - own[1]))
    error = np.std(scaled)
    return [
        f"{splits} eval sets of {size} of {n} prompts, drawn at random: the interval holds the "
        f"truth in {np.mean(np.abs(scaled) <= half):.1%} (too high in "
        f"{np.mean(scaled < -half):.1%}, too low in {np.mean(scaled > half):.1%}); reported less "
        f"true {np.mean(reported - truth) / truth.mean():+.1%}, corrected less true "
        f"{np.mean(corrected - truth) / truth.mean():+.1%}; standard error {error:.3g}, told "
        f"{np.mean(half) / 2.01:.3g}.",
        "",
        f"Of the sweep's own eval set the front loses {own[1] - own[4]:.3g} from corrected to the "
        f"other prompts; {rank:.1%} of the random sets lose as much or more.",
    ]


def _split(scored: Scored, rng: np.random.Generator, draw: int, size: int, n: int) -> FloatArray:
    return _errors_of(scored, rng.permutation(n)[:size], draw)


def _errors_of(scored: Scored, chosen: IntArray, draw: int) -> FloatArray:
    """Return what was reported and corrected, half the interval, the truth, and by the rest."""
    clouds = scored.gains[draw][..., chosen]
    index = np.flatnonzero(nondominated(clouds.mean(axis=2)))
    found = worth(clouds, index, scored.ref, draws=300)
    others = np.delete(scored.gains, draw, axis=0)[:, index].mean(axis=0)
    truth = hypervolume(others.mean(axis=2), scored.ref)
    rest = hypervolume(np.delete(others, chosen, axis=2).mean(axis=2), scored.ref)
    low, high = found.interval
    return np.array([found.reported, found.corrected, (high - low) / 2, truth, rest])


def main() -> None:
    """Score what is missing, and print what it says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sweeps", nargs="+")
    parser.add_argument("--folder", type=Path, required=True, help="keeps the scores")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--splits", type=int, default=1000)
    asked = parser.parse_args()
    for number, sweep in enumerate(asked.sweeps):
        kept = asked.folder / str(number)
        kept.mkdir(parents=True, exist_ok=True)
        told = told_of(collected(sweep, kept, asked.draws), asked.splits)
        print(f"### {Path(sweep).name}\n\n{told}\n")


if __name__ == "__main__":
    main()
