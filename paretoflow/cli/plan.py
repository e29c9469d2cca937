"""Plan of a sweep, computed from its spec alone; `check` prints it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from paretoflow.core.values import Direction, History, ObjectiveInfo, Problem, Proposal
from paretoflow.front.orient import ideal_gains, nadir_gains, ref_gains
from paretoflow.front.simplex import lattice_at_least
from paretoflow.proposers import build, resolve_tag, resolved
from paretoflow.proposers.experts import expert_count
from paretoflow.proposers.initial import initial_count
from paretoflow.spec.capabilities import BEYOND_WEIGHTED, CAPABILITIES
from paretoflow.spec.methods import (
    ConditionedBase,
    DpaMethodSpec,
    MethodSpec,
    OnlineMethodBase,
    RoundsBase,
)
from paretoflow.spec.methods.base import look_every
from paretoflow.spec.nested import innermost, nested
from paretoflow.spec.objectives import JudgeObjectiveSpec, unmoved
from paretoflow.spec.proposers import MergingProposerSpec, ProposerSpec
from paretoflow.spec.search import axes_of
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import as_folder

# repeats the engine's text, which is too slow to import here; a test compares them
SPEC_FILE = "spec.json"

LOOK_S = 5.0
"""Seconds to wait for an object store that does not answer."""


@dataclass(frozen=True)
class Work:
    """Amount of work of a sweep that launches all of its runs and retries none.

    Args:
        sampled: Answers sampled from the base, once per sweep.
        held_out: Answers sampled for the ranking accuracy, once per sweep.
        trained: Training examples (pairs; for grpo, answers sampled in training).
        evaluations: Evaluations on the eval prompts, the base's included; a checkpoint that serves
            many preferences counts once for each.
        evaluated: Answers generated for these evaluations.
        looks: Maximum answers that the dual controller generates on validation prompts.
        answers: Maximum answers generated in all.
        tokens: Maximum tokens generated in all.
        rounds: Consecutive runs of a worker group, if all runs take equally long.
        merges: Maximum runs that mix adapters and train nothing.
    """

    sampled: int
    held_out: int
    trained: int
    evaluations: int
    evaluated: int
    looks: int
    answers: int
    tokens: int
    rounds: int
    merges: int = 0


@dataclass(frozen=True)
class Plan:
    """Everything `check` prints.

    Args:
        folder: Folder of the sweep, `<storage>/<name>`.
        exists: Whether the folder already has a sweep, which `run` would continue.
        proposer: Tag of the proposer, `auto` resolved.
        opening: The launches of the initial stage.
        devices: GPUs in use at once; a rank without a GPU counts as one device.
        cost_bound: Upper bound of the cost in the currency of `engine.price`; None without a bound.
    """

    folder: str
    exists: bool
    proposer: str
    opening: tuple[Proposal, ...]
    devices: float
    cost_bound: float | None
    work: Work


def plan_of(spec: SweepSpec) -> Plan:
    """Compute the plan of a sweep; check its storage only for an existing sweep.

    Raises:
        StorageError: If an object store refuses, or gives no answer for some seconds.
    """
    place = f"{spec.storage.removeprefix('file://').rstrip('/')}/{spec.name}"
    per_group = (spec.engine.resources.gpus_per_rank or 1.0) * spec.engine.resources.ranks
    devices = per_group * spec.engine.worker_groups
    return Plan(
        folder=place,
        exists=as_folder(place, patience_s=LOOK_S).exists(SPEC_FILE),
        proposer=_proposer_tag(spec),
        opening=opening_launches(spec),
        devices=devices,
        cost_bound=cost_bound(spec, devices),
        work=work_of(spec),
    )


def work_of(spec: SweepSpec) -> Work:
    """Count the work of a sweep.

    By hand: 96 train prompts with 4 candidates, 12 runs of 40 steps with batches of 8, 48 eval
    prompts and one checkpoint a run: 384 sampled, 3840 trained on, 13 evaluations with 624 answers.
    """
    data, method = spec.data, spec.method
    every = method.checkpoint_every or method.steps
    points, draws = served_of(spec)
    trains, merges = trained_runs(spec), merge_runs(spec)
    evaluations = 1 + trains * ceil(method.steps / every) * points + merges
    evaluated = (1 + (evaluations - 1) * draws) * data.eval
    learnt_from_base = getattr(data, "sampled", 1.0) > 0
    sampled = data.train * data.candidates if learnt_from_base else 0
    held_out = data.validation * data.held_out
    trained = trains * method.steps * method.batch_size
    answers_a_look = method.dual.draws * data.validation
    looks = _constrained_runs(spec) * looks_of(method) * answers_a_look
    if isinstance(method, OnlineMethodBase):
        looks += trains * method.looks * answers_a_look
    answers = sampled + held_out + evaluated + looks + _sampled_on_the_way(spec)
    return Work(
        sampled=sampled,
        held_out=held_out,
        trained=trained,
        evaluations=evaluations,
        evaluated=evaluated,
        looks=looks,
        answers=answers,
        tokens=answers * spec.model.generation.max_new_tokens,
        rounds=ceil((trains + merges) / spec.engine.worker_groups),
        merges=merges,
    )


def looks_of(method: MethodSpec) -> int:
    """Return the maximum number of looks of a constrained run.

    By hand: 40 steps with at most 2 looks are one every 14, that is 2 between the steps; with the
    parent's, the one at the end and 2 checks there are 6. With `result: last` it is 2.
    """
    dual = method.dual
    between = (method.steps - 1) // look_every(dual, method.steps)
    return between + (2 + dual.checks if dual.result == "feasible" else 0)


def cost_bound(spec: SweepSpec, devices: float) -> float | None:
    """Return the maximum cost of a sweep: all devices for all hours, or `stop.cost` if lower."""
    price, hours, cost = spec.engine.price, spec.stop.hours, spec.stop.cost
    judged = paid_judges(spec)
    if price == 0 and not judged:
        return 0.0
    timed = None if hours is None or judged else price * devices * hours
    bounds = [b for b in (cost, timed) if b is not None]
    return min(bounds, default=None)


def paid_judges(spec: SweepSpec) -> list[JudgeObjectiveSpec]:
    """Return the judges whose tokens have a price."""
    judges = (o for o in spec.objectives if isinstance(o, JudgeObjectiveSpec))
    return [judge for judge in judges if judge.price is not None]


def opening_launches(spec: SweepSpec) -> tuple[Proposal, ...]:
    """Return the launches of the proposer's opening, before any score."""
    m, runs = len(spec.objectives), spec.stop.runs
    launches = CAPABILITIES[spec.method.type].launches
    axes = axes_of(spec.search, spec.method)
    proposer = build(spec.proposer, m=m, runs=runs, launches=launches, axes=axes)
    count = min(runs, _opening_count(spec))
    return tuple(proposer.propose(_empty_history(spec), [], count, spec.seed))


def _proposer_tag(spec: SweepSpec) -> str:
    launches = CAPABILITIES[spec.method.type].launches
    return resolve_tag(spec.proposer, len(spec.objectives), spec.stop.runs, launches)


def _inner(spec: SweepSpec) -> ProposerSpec:
    return innermost(spec.proposer)[1]


def served_of(spec: SweepSpec) -> tuple[int, int]:
    """Return the number of a checkpoint's preferences, and of answers for each prompt.

    By hand: `serve: {points: 11, select: {type: rps, k: 5}}` and two objectives are 11 and 5.
    """
    if not isinstance(spec.method, ConditionedBase):
        return 1, 1
    serve = spec.method.serve
    moved = len(spec.objectives) - len(unmoved(spec.objectives))
    points = len(lattice_at_least(moved, serve.points))
    return points, 1 if serve.select is None else serve.select.k


def _sampled_on_the_way(spec: SweepSpec) -> int:
    """Return the number of answers that all runs sample from the policy in training."""
    data, method, runs = spec.data, spec.method, trained_runs(spec)
    if isinstance(method, OnlineMethodBase):
        return runs * method.steps * method.batch_size
    if isinstance(method, RoundsBase):
        each = method.samples if isinstance(method, DpaMethodSpec) else 1
        return runs * method.rounds * (method.round_prompts or data.train) * each
    return 0


def trained_runs(spec: SweepSpec) -> int:
    """Return the number of runs that train: all, or the experts if the others mix these."""
    merging = isinstance(_inner(spec), MergingProposerSpec)
    return min(spec.stop.runs, _opening_count(spec)) if merging else spec.stop.runs


def merge_runs(spec: SweepSpec) -> int:
    """Return the maximum number of runs that mix adapters instead of training.

    By hand: `soups` with two objectives and 13 runs trains 2 experts and mixes 11 times.
    """
    left = spec.stop.runs - trained_runs(spec)
    points = getattr(_inner(spec), "points", None)
    return left if points is None else min(left, points)


def _opening_count(spec: SweepSpec) -> int:
    proposer = _inner(spec)
    if isinstance(proposer, MergingProposerSpec):
        return expert_count(len(spec.objectives), proposer.experts)
    given = getattr(proposer, "initial", None)
    return initial_count(len(spec.objectives), given)


def _constrained_runs(spec: SweepSpec) -> int:
    launches = CAPABILITIES[spec.method.type].launches
    chosen = nested(resolved(spec.proposer, len(spec.objectives), spec.stop.runs, launches))
    # some launch nothing else, others work without them too
    may = (BEYOND_WEIGHTED.get(p.type) or getattr(p, "constrained", False) for _, p in chosen)
    if not {"constrained", True} & set(may):
        return 0
    return max(spec.stop.runs - _opening_count(spec), 0)


def _empty_history(spec: SweepSpec) -> History:
    """Return an empty history; a range that is not declared is [0, 1]."""
    objectives = []
    for objective in spec.objectives:
        low, high = objective.range or (0.0, 1.0)
        worst = low if objective.direction is Direction.MAXIMIZE else high
        ref = worst if objective.ref is None else objective.ref
        objectives.append(
            ObjectiveInfo(objective.name, objective.direction, objective.unit, low, high, ref)
        )
    problem = Problem(tuple(objectives))
    return History(
        problem=problem,
        runs=(),
        gains=np.empty((0, problem.m)),
        stderr=np.empty((0, problem.m)),
        run_index=np.empty(0, dtype=np.int64),
        snapshot_ids=(),
        front=np.empty(0, dtype=np.int64),
        ref=ref_gains(problem),
        ideal=ideal_gains(problem),
        nadir=nadir_gains(problem),
    )
