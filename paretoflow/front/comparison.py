"""Decides how several fronts compare that were scored on the same prompts.

All are measured against one reference point, and every interval draws the same prompts for all of
them: what makes a prompt easy cancels in the differences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from paretoflow.core.errors import UserError
from paretoflow.core.values import FloatArray, Problem
from paretoflow.front.bootstrap import drawn_hypervolumes
from paretoflow.front.compared import Comparison, Interval, Side, Standing
from paretoflow.front.difference import aligned, front_gains, prompt_gains_of
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import ref_gains


def comparison(
    sides: Sequence[Side], baseline: int = 0, ref: Mapping[str, float] | None = None
) -> Comparison:
    """Return how fronts compare.

    By hand, against (0, 0): {(2, 1)} is worth 2 and {(1, 2), (3, 0.5)} 3; the joint front has all
    three points, a third of them from the first, and is worth 3.5.

    Args:
        sides: At least one, each with at least one point.
        baseline: Which of them the others are compared with.
        ref: Raw reference values by objective, in place of the fronts' own.

    Raises:
        UserError: If the fronts do not have the same objectives, directions and reference point, or
            were not scored on the same prompts; or `ref` names an unknown objective.
    """
    moved, notes = _aligned(sides, ref or {})
    prompts = _shared_prompts(moved)
    problem = moved[0].problem
    point = ref_gains(problem)
    gains = [front_gains(side) for side in moved]
    drawn = [_drawn(side, point) for side in moved]
    every = np.concatenate(gains)
    joint = every[nondominated(every)]
    volumes = [hypervolume(rows, point) for rows in gains]
    return Comparison(
        problem=problem,
        standings=tuple(
            Standing(
                side=side,
                hypervolume=volume,
                interval=_interval(draws),
                change=volume - volumes[baseline],
                change_interval=_interval(draws - drawn[baseline]),
                joint=_share(rows, joint),
            )
            for side, rows, volume, draws in zip(moved, gains, volumes, drawn, strict=True)
        ),
        baseline=baseline,
        prompts=prompts,
        joint_points=len(joint),
        joint_hypervolume=hypervolume(joint, point),
        notes=notes,
    )


def _aligned(sides: Sequence[Side], ref: Mapping[str, float]) -> tuple[list[Side], tuple[str, ...]]:
    """Return the fronts with the objectives of the first, and what is to be noted.

    Raises:
        UserError: If the objectives or the reference points are not the same.
    """
    if unknown := sorted(set(ref) - set(sides[0].problem.names)):
        names = ", ".join(sides[0].problem.names)
        raise UserError(
            f"got a reference value for {unknown[0]!r}; allowed: {names}",
            "--ref",
            "give values for objectives of the sweeps",
        )
    measured = [replace(side, problem=_against(side.problem, ref)) for side in sides]
    first = measured[0]
    moved, notes = [first], []
    for side in measured[1:]:
        same, told = aligned(first, side)
        theirs = {o.name: o.ref for o in side.problem.objectives}
        differing = [o.name for o in first.problem.objectives if theirs[o.name] != o.ref]
        if differing:
            ours = {o.name: o.ref for o in first.problem.objectives}
            shown = ", ".join(f"{n} {ours[n]:.4g} and {theirs[n]:.4g}" for n in differing)
            values = ",".join(f"{n}={ours[n]:.4g}" for n in differing)
            raise UserError(
                f"the reference points of {first.label} and {side.label} differ: {shown}",
                hint=f"declare one for all, for instance --ref {values}",
            )
        moved.append(same)
        notes += [note for note in told if note not in notes]
    return moved, tuple(notes)


def _against(problem: Problem, ref: Mapping[str, float]) -> Problem:
    objectives = tuple(replace(o, ref=ref.get(o.name, o.ref)) for o in problem.objectives)
    return Problem(objectives)


def _shared_prompts(sides: Sequence[Side]) -> int:
    """Return the number of prompts that every point was scored on.

    Raises:
        UserError: If they are not the same for all, or not known.
    """
    wanted: tuple[str, int] | None = None
    for side in sides:
        for point in side.points:
            scores = point.prompt_scores
            found = (point.data, scores.shape[1] if scores.ndim == 2 else 0)
            if not found[0] or found[1] < 2:
                raise UserError(
                    f"{point.snapshot_id} in {side.label} has no scores on prompts of its sweep",
                    hint="a trainer's own scores and simulated ones cannot be compared",
                )
            wanted = wanted or found
            if found != wanted:
                raise UserError(
                    f"{sides[0].label} and {side.label} were not scored on the same prompts: "
                    f"{wanted[1]} with digest {wanted[0][:12]}, {found[1]} with {found[0][:12]}",
                    hint="run them with the same `data`, `seed` and model; `paretoflow diff` takes "
                    "two that differ in that, unpaired",
                )
        if not side.points:
            raise UserError(f"the front of {side.label} is empty", hint="let the sweep go on")
    assert wanted is not None
    return wanted[1]


def _drawn(side: Side, ref: FloatArray) -> FloatArray:
    clouds = prompt_gains_of(side)
    assert clouds is not None  # `_shared_prompts` has looked
    return drawn_hypervolumes(clouds, ref)


def _interval(draws: FloatArray) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def _share(gains: FloatArray, joint: FloatArray) -> float:
    has = (joint[:, None, :] == gains[None, :, :]).all(axis=2).any(axis=1)
    return float(has.mean())
