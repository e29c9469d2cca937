"""A searcher of Ray Tune that uses our proposers, and a trial scheduler with the rule of the rungs.

    from ray import tune
    from paretoflow.integrations.asking import objective
    from paretoflow.integrations.ray_tune import ParetoSearcher

    searcher = ParetoSearcher(
        [objective("helpful", 0, 1), objective("words", 5, 60, direction="minimize")], runs=24
    )
    tuner = tune.Tuner(train, tune_config=tune.TuneConfig(search_alg=searcher, num_samples=24))

`train(config)` gets the values of `asking.launch_config` in its config. It reports one metric for
each objective, by its name (the last report counts), and `<name>_stderr` if the standard error is
known. A parent is the id of an earlier trial: a trial that others may start from stores its
checkpoint where they find it by `tune.get_context().get_trial_id()`. If trials can start only from
the base, set `launches=("weighted",)`.

`tune.TuneConfig(scheduler=ParetoRungs(objectives, first=2, steps=27))` stops trials at the rungs,
with or without the searcher; trials then report repeatedly, each time with every metric.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from paretoflow.core.errors import MissingExtraError
from paretoflow.core.values import Direction, ObjectiveInfo, Problem, Proposal
from paretoflow.front.dominance import nondominated
from paretoflow.front.halving import ahead, halving_order, quota, rung_steps
from paretoflow.front.orient import gains_of
from paretoflow.front.selection import normalised_gains
from paretoflow.integrations.asking import (
    TRAINED,
    EndedTrial,
    TrialProposer,
    finite_scores,
    launch_config,
)
from paretoflow.spec.proposers import ProposerSpec

try:
    from ray.tune.schedulers import FIFOScheduler, TrialScheduler
    from ray.tune.search import Searcher
except ModuleNotFoundError as error:
    raise MissingExtraError.of("paretoflow.integrations.ray_tune", "ray", "ray") from error

_MODES = {Direction.MAXIMIZE: "max", Direction.MINIMIZE: "min"}


class ParetoSearcher(Searcher):
    """Suggests the launches of a proposer, with regard to running trials.

    A trial that failed, or whose last report lacks a metric or has a nan, counts as failed; its
    launch is not repeated. A trial that a scheduler stopped counts with its last report. Tune saves
    and restores the searcher with the experiment; its state is the trials' launches and scores, as
    JSON.

    Args:
        objectives: At least two, from `asking.objective`.
        proposer: A spec, or a tag for its defaults.
        runs: Number of trials in all, as in `num_samples`.
        launches: Kinds of launch that a trial supports.
        seed: Seed of all random choices.

    Raises:
        SpecError: If the proposer is unknown, or needs other launches than these.
    """

    def __init__(
        self,
        objectives: list[ObjectiveInfo] | tuple[ObjectiveInfo, ...],
        *,
        proposer: ProposerSpec | str = "auto",
        runs: int = 64,
        launches: tuple[str, ...] = TRAINED,
        seed: int = 0,
    ) -> None:
        modes = [_MODES[o.direction] for o in objectives]
        super().__init__(metric=[o.name for o in objectives], mode=modes)
        self._asking = TrialProposer(
            objectives, proposer=proposer, runs=runs, launches=launches, seed=seed
        )
        self._launches: dict[str, Proposal] = {}
        self._ended: dict[str, EndedTrial] = {}

    def suggest(self, trial_id: str) -> Any:
        """Return the config of a trial; None while the proposer waits for a pending one."""
        ended = [self._ended[name] for name in self._launches if name in self._ended]
        pending = [p for name, p in self._launches.items() if name not in self._ended]
        launch = self._asking.next_launch(ended, pending)
        if launch is None:
            return None if pending else Searcher.FINISHED
        self._launches[trial_id] = launch
        return launch_config(launch, self._asking.problem)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Record a trial that has ended."""
        launch = self._launches.get(trial_id)
        if launch is None:
            return  # a trial that another searcher suggested
        names = self._asking.problem.names
        found = {} if error or result is None else result
        stderr = finite_scores(found, [f"{name}_stderr" for name in names]) or ()
        self._ended[trial_id] = EndedTrial(trial_id, launch, finite_scores(found, names), stderr)

    def save(self, checkpoint_path: str) -> None:
        """Write the trials' launches and scores, as JSON."""
        trials = [
            {
                "trial_id": name,
                "launch": launch.to_dict(),
                "ended": name in self._ended,
                "scores": self._ended[name].scores if name in self._ended else None,
                "stderr": self._ended[name].stderr if name in self._ended else (),
            }
            for name, launch in self._launches.items()
        ]
        Path(checkpoint_path).write_text(json.dumps(trials), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Read what `save` wrote."""
        trials = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
        self._launches = {t["trial_id"]: Proposal.from_dict(t["launch"]) for t in trials}
        self._ended = {}
        for trial in trials:
            if trial["ended"]:
                name, scores = trial["trial_id"], trial["scores"]
                known = None if scores is None else tuple(scores)
                self._ended[name] = EndedTrial(
                    name, self._launches[name], known, tuple(trial["stderr"])
                )


class ParetoRungs(FIFOScheduler):
    """Multi-objective successive halving: stops trials at a rung if others there are better.

    A trial at a rung continues if it is among the first in `reduction` of all trials that have
    reached the rung, in `front.halving.halving_order`. It also continues if no point on the front
    of all reports is ahead of it by more than noise. Trials that started from a parent have their
    own rungs. A report without all metrics is ignored. Unlike in our own sweeps, a stopped trial is
    never resumed, since Tune has no way to request that.

    By hand: of three trials that reach a rung with gains (.2, .2), (.8, .1), (.1, .1), the quota is
    one. The first trial continues, as there is nothing to compare it with; the second continues, as
    it is on the front; the third is stopped, as (.2, .2) dominates it.

    Args:
        objectives: At least two, from `asking.objective`.
        first: Time of the first rung.
        steps: Time at which a trial ends by itself.
        reduction: One trial in `reduction` continues; also the ratio of the times of two rungs.
        time_attr: Name of the time in the reports.

    References:
        Schmucker et al. (2021), Multi-objective asynchronous successive halving, arXiv 2106.12639;
        departures as in `front.halving`.
    """

    _supports_buffered_results = False

    def __init__(
        self,
        objectives: list[ObjectiveInfo] | tuple[ObjectiveInfo, ...],
        *,
        first: int,
        steps: int,
        reduction: int = 3,
        time_attr: str = "training_iteration",
    ) -> None:
        super().__init__()
        self._problem = Problem(tuple(objectives))
        self._steps = rung_steps(first, reduction, steps)
        self._reduction = reduction
        self._time_attr = time_attr
        self._reported: list[tuple[list[float], list[float]]] = []
        self._members: defaultdict[tuple[int, bool], list[int]] = defaultdict(list)
        self._levels: dict[str, int] = {}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return whether a trial continues after a report."""
        names = self._problem.names
        scores = finite_scores(result, names)
        if scores is None or self._time_attr not in result:
            return str(TrialScheduler.CONTINUE)
        stderr = finite_scores(result, [f"{name}_stderr" for name in names])
        gains = normalised_gains(gains_of([scores], self._problem), self._problem)[0]
        spans = np.array([o.high - o.low for o in self._problem.objectives])
        noise = np.array(stderr or (0.0,) * len(names)) / spans
        self._reported.append((gains.tolist(), noise.tolist()))
        from_base = trial.config.get("parent") is None
        before = self._levels.get(trial.trial_id, 0)
        level = bisect_right(self._steps, result[self._time_attr])
        for rung in range(before, level):
            self._members[rung, from_base].append(len(self._reported) - 1)
        if level <= before:
            return str(TrialScheduler.CONTINUE)
        self._levels[trial.trial_id] = level
        stays = self._goes_on(self._members[level - 1, from_base])
        return str(TrialScheduler.CONTINUE if stays else TrialScheduler.STOP)

    def _goes_on(self, members: list[int]) -> bool:
        """Return whether the last trial that reached a rung continues."""
        gains, noise = (np.array(values) for values in zip(*self._reported, strict=True))
        first = halving_order(gains[members])[: quota(len(members), self._reduction)]
        if len(members) - 1 in first:
            return True
        front = nondominated(gains)
        row = members[-1]
        return not len(ahead(gains[row], noise[row], gains[front], noise[front]))

    def save(self, checkpoint_path: str) -> None:
        """Write the reports, as JSON."""
        rungs = [[*rung, rows] for rung, rows in self._members.items()]
        kept = {"reported": self._reported, "rungs": rungs, "levels": self._levels}
        Path(checkpoint_path).write_text(json.dumps(kept), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Read what `save` wrote."""
        kept = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
        self._reported = [(gains, noise) for gains, noise in kept["reported"]]
        self._members.clear()
        self._members.update({(rung, base): rows for rung, base, rows in kept["rungs"]})
        self._levels = kept["levels"]
