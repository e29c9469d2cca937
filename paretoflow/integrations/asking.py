"""Converts the trials of another tuner for a proposer, and a launch for its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from paretoflow.core.errors import SpecError
from paretoflow.core.status import RunStatus
from paretoflow.core.values import (
    Direction,
    FloatArray,
    History,
    LaunchKind,
    ObjectiveInfo,
    Problem,
    Proposal,
    RunRecord,
)
from paretoflow.front.dominance import nondominated
from paretoflow.front.orient import gains_of, ideal_gains, nadir_gains, ref_gains, scores_of
from paretoflow.proposers import TAGS, build, resolved
from paretoflow.scoring.calibrate import REF_MARGIN
from paretoflow.spec.capabilities import BEYOND_WEIGHTED
from paretoflow.spec.nested import nested
from paretoflow.spec.proposers import ProposerSpec
from paretoflow.spec.rules.proposer import size_faults

TRAINED = ("weighted", "constrained")
"""Kinds of launch that a trial can train by default; merges need adapters."""


def objective(
    name: str,
    low: float,
    high: float,
    *,
    direction: str = "maximize",
    ref: float | None = None,
) -> ObjectiveInfo:
    """Return an objective; its range makes it comparable with the others.

    Args:
        name: Name of the metric.
        low: Lower end of the expected values, in the metric's units.
        high: Upper end, above `low`.
        direction: `maximize` or `minimize`.
        ref: Value that a trial must beat to count; None is a tenth of the range beyond its worse
            end.

    Raises:
        SpecError: If the range has no width, or the direction is another word.
    """
    if not low < high:
        raise SpecError(
            f"got a range from {low:g} to {high:g}; allowed: the lower end first",
            f"objective {name!r}",
            "give the range of values that trials may reach",
            code="spec-not-allowed",
        )
    if direction not in tuple(Direction):
        raise SpecError(
            f"got the direction {direction!r}; allowed: {', '.join(Direction)}",
            f"objective {name!r}",
            code="spec-not-allowed",
        )
    beyond = REF_MARGIN * (high - low)
    worst = low - beyond if direction == Direction.MAXIMIZE else high + beyond
    return ObjectiveInfo(name, Direction(direction), "", low, high, worst if ref is None else ref)


@dataclass(frozen=True)
class EndedTrial:
    """A trial that has ended.

    Args:
        name: Name by which a later launch refers to it as a parent.
        launch: Its launch.
        scores: Raw scores, length m, finite; None if it failed.
        stderr: Standard errors of the scores, length m; empty for exact scores.
    """

    name: str
    launch: Proposal
    scores: tuple[float, ...] | None
    stderr: tuple[float, ...] = ()


class TrialProposer:
    """A proposer for the trials of another tuner.

    Args:
        objectives: At least two, in the order of every weight vector.
        proposer: A spec, or a tag for its defaults, for instance `empty_box`.
        runs: Number of trials in all; some proposers plan with it.
        launches: Kinds of launch that a trial supports: without `constrained`, `auto` takes a
            proposer of weights alone.
        seed: Seed of all random choices.

    Raises:
        SpecError: If the proposer is unknown, or needs other launches than these.
    """

    def __init__(
        self,
        objectives: Sequence[ObjectiveInfo],
        *,
        proposer: ProposerSpec | str = "auto",
        runs: int = 64,
        launches: Sequence[str] = TRAINED,
        seed: int = 0,
    ) -> None:
        spec = _spec_of(proposer)
        self.problem = Problem(tuple(objectives))
        m = self.problem.m
        asked = resolved(spec, m, runs, launches)
        for fault in size_faults(asked, m, runs):
            raise fault.plain_error()
        chosen = nested(asked)
        kinds = (BEYOND_WEIGHTED.get(p.type, LaunchKind.WEIGHTED) for _, p in chosen)
        # a constrained launch starts from a parent, and so does a continuation
        able = {*launches, "continued"} if LaunchKind.CONSTRAINED in launches else {*launches}
        needed = next((kind for kind in kinds if kind not in able), None)
        if needed is not None:
            raise SpecError(
                f"the proposer `{spec.type}` asks for {needed} launches, and trials do "
                f"{' and '.join(launches)} ones",
                "launches",
                "take another proposer, for instance `dirichlet`, or let trials do them",
                code="spec-contradiction",
            )
        self._launches = tuple(launches)
        self._proposer = build(spec, m=m, runs=runs, launches=launches)
        self._seed = seed

    def next_launch(
        self, ended: Sequence[EndedTrial], pending: Sequence[Proposal]
    ) -> Proposal | None:
        """Return the next launch; None if the proposer waits for a pending one, or has ended.

        Args:
            ended: Ended trials, in the order of their launches.
            pending: Pending launches, in the same order.

        Raises:
            SpecError: If the proposer returns a kind of launch that trials do not support.
        """
        chosen = self._proposer.propose(self.history(ended), pending, 1, self._seed)
        if chosen and chosen[0].kind not in self._launches:
            raise SpecError(
                f"the proposer `{chosen[0].proposer}` asks for a {chosen[0].kind} launch, and "
                f"trials do {' and '.join(self._launches)} ones",
                "launches",
                "take another proposer, or let trials do them",
                code="spec-contradiction",
            )
        return chosen[0] if chosen else None

    def history(self, ended: Sequence[EndedTrial]) -> History:
        """Return the history for a proposer: a failed trial is an ended run without scores."""
        problem = self.problem
        scored = [(i, t) for i, t in enumerate(ended) if t.scores is not None]
        gains = gains_of(_rows([t.scores or () for _, t in scored], problem.m), problem)
        errors = [t.stderr or (0.0,) * problem.m for _, t in scored]
        return History(
            problem=problem,
            runs=tuple(_record(t) for t in ended),
            gains=gains,
            stderr=_rows(errors, problem.m),
            run_index=np.array([i for i, _ in scored], dtype=np.int64),
            snapshot_ids=tuple(t.name for _, t in scored),
            front=np.flatnonzero(nondominated(gains)),
            ref=ref_gains(problem),
            ideal=ideal_gains(problem),
            nadir=nadir_gains(problem),
        )


def launch_config(launch: Proposal, problem: Problem) -> dict[str, Any]:
    """Return a launch as plain values, for the code that trains it.

    Keys are `weights` in the objectives' order; `kind`; `seed`; `reason`, a sentence. A constrained
    launch starts from the end of the trial `parent` and improves `target`, while every score in
    `thresholds` (raw, by name) stays at least that high, or at most if it is minimised. In a
    weighted launch these three are None.
    """
    thresholds = None
    if launch.thresholds is not None and launch.target is not None:
        others = np.arange(problem.m) != launch.target
        bounds = scores_of(np.where(others, launch.thresholds, 0.0), problem)
        thresholds = {problem.names[i]: float(bounds[i]) for i in np.flatnonzero(others)}
    return {
        "weights": list(launch.weights.values),
        "kind": launch.kind.value,
        "parent": launch.parent,
        "target": None if launch.target is None else problem.names[launch.target],
        "thresholds": thresholds,
        "seed": launch.seed,
        "reason": launch.reason,
    }


def finite_scores(found: Mapping[str, Any], names: Sequence[str]) -> tuple[float, ...] | None:
    """Return the named numbers; None if one is missing or not a finite number."""
    values = [found.get(name) for name in names]
    numbers = [float(v) for v in values if isinstance(v, int | float | np.number)]
    whole = len(numbers) == len(names) and bool(np.isfinite(numbers).all())
    return tuple(numbers) if whole else None


def _spec_of(proposer: ProposerSpec | str) -> ProposerSpec:
    if not isinstance(proposer, str):
        return proposer
    if proposer != "auto" and proposer not in TAGS:
        raise SpecError(
            f"got the proposer {proposer!r}; allowed: auto, {', '.join(sorted(TAGS))}",
            "proposer",
            code="spec-unknown-type",
        )
    adapter: TypeAdapter[ProposerSpec] = TypeAdapter(ProposerSpec)
    return adapter.validate_python({"type": proposer})


def _record(trial: EndedTrial) -> RunRecord:
    status = RunStatus.FAILED if trial.scores is None else RunStatus.FINISHED
    return RunRecord(trial.name, trial.launch, status)


def _rows(values: Sequence[Sequence[float]], m: int) -> FloatArray:
    return np.array(values, dtype=np.float64).reshape(-1, m)
