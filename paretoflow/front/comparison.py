"""Compares several fronts that were scored on the same prompts.

All fronts are measured against one reference point. Every interval draws the same prompts for all
fronts, so that easy and hard prompts cancel in the differences. An arm may be several sweeps that
differ by their seed; then the intervals include training luck.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from paretoflow.core.errors import UserError
from paretoflow.core.values import FloatArray, Problem
from paretoflow.front.compared import Comparison, Side, Standing
from paretoflow.front.difference import aligned, front_gains, side_worth
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import ref_gains
from paretoflow.front.seeds import Luck, arm_change, arm_interval, luck_of
from paretoflow.front.worth import Worth

Arms = Sequence[Sequence[Side]]
_LUCK = (
    "one seed each: another seed of training would give other fronts, and that luck is in none of "
    "these intervals; give each arm sweeps of several seeds, joined by commas"
)
_SOME_LUCK = "an arm with one seed is given the spread of the others' seeds"


def comparison(arms: Arms, baseline: int = 0, ref: Mapping[str, float] | None = None) -> Comparison:
    """Compare arms.

    By hand, against (0, 0), one sweep an arm: {(2, 1)} is worth 2 and {(1, 2), (3, 0.5)} 3; the
    joint front has all three points, a third of them from the first, and is worth 3.5.

    Args:
        arms: At least one, each of at least one sweep with at least one point. Sweeps of an arm
            differ by their seed alone.
        baseline: Index of the arm that the others are compared with.
        ref: Raw reference values by objective; they replace those of the fronts.

    Raises:
        UserError: If the fronts do not have the same objectives, directions and reference point, or
            were not scored on the same prompts; or `ref` names an unknown objective.
    """
    moved, notes = _aligned(arms, ref or {})
    prompts, shared = _shared_prompts(moved)
    problem = moved[0][0].problem
    point = ref_gains(problem)
    worths = [[_worth(side) for side in arm] for arm in moved]
    luck = luck_of(worths, shared=shared)
    gains = [np.concatenate([front_gains(side) for side in arm]) for arm in moved]
    every = np.concatenate(gains)
    joint = every[nondominated(every)]
    return Comparison(
        problem=problem,
        standings=tuple(
            _standing(arm, each, worths[baseline], luck, _share(rows, joint))
            for arm, each, rows in zip(moved, worths, gains, strict=True)
        ),
        baseline=baseline,
        prompts=prompts,
        joint_points=len(joint),
        joint_hypervolume=hypervolume(joint, point),
        notes=(*notes, *_luck_notes(moved)),
        shared=shared,
    )


def _standing(
    sides: Sequence[Side], arm: list[Worth], base: list[Worth], luck: Luck, joint: float
) -> Standing:
    return Standing(
        sides=tuple(sides),
        hypervolume=_mean(w.reported for w in arm),
        corrected=_mean(w.corrected for w in arm),
        interval=arm_interval(arm, luck),
        change=_mean(w.reported for w in arm) - _mean(w.reported for w in base),
        corrected_change=_mean(w.corrected for w in arm) - _mean(w.corrected for w in base),
        change_interval=(0.0, 0.0) if arm is base else arm_change(base, arm, luck),
        joint=joint,
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _luck_notes(arms: Arms) -> tuple[str, ...]:
    counts = {len(arm) for arm in arms}
    if counts == {1}:
        return (_LUCK,) if len(arms) > 1 else ()
    return (_SOME_LUCK,) if 1 in counts else ()


def _aligned(arms: Arms, ref: Mapping[str, float]) -> tuple[list[list[Side]], tuple[str, ...]]:
    """Return the fronts with the objectives of the first, and notes for the reader.

    Raises:
        UserError: If the objectives or the reference points are not the same.
    """
    first = arms[0][0]
    if unknown := sorted(set(ref) - set(first.problem.names)):
        names = ", ".join(first.problem.names)
        raise UserError(
            f"got a reference value for {unknown[0]!r}; allowed: {names}",
            "--ref",
            "give values for objectives of the sweeps",
            code="usage-unknown-name",
        )
    first = replace(first, problem=_against(first.problem, ref))
    notes: dict[str, None] = {}
    moved: list[list[Side]] = []
    for arm in arms:
        found = [_like(first, replace(s, problem=_against(s.problem, ref))) for s in arm]
        moved.append([side for side, _ in found])
        notes |= {note: None for _, told in found for note in told}
    return moved, tuple(notes)


def _like(first: Side, side: Side) -> tuple[Side, tuple[str, ...]]:
    same, told = aligned(first, side)
    theirs = {o.name: o.ref for o in side.problem.objectives}
    differing = [o.name for o in first.problem.objectives if theirs[o.name] != o.ref]
    if not differing:
        return same, told
    ours = {o.name: o.ref for o in first.problem.objectives}
    shown = ", ".join(f"{n} {ours[n]:.4g} and {theirs[n]:.4g}" for n in differing)
    values = ",".join(f"{n}={ours[n]:.4g}" for n in differing)
    raise UserError(
        f"the reference points of {first.label} and {side.label} differ: {shown}",
        hint=f"declare one for all, for instance --ref {values}",
        code="usage-not-comparable",
    )


def _against(problem: Problem, ref: Mapping[str, float]) -> Problem:
    objectives = tuple(replace(o, ref=ref.get(o.name, o.ref)) for o in problem.objectives)
    return Problem(objectives)


def _shared_prompts(arms: Arms) -> tuple[int, bool]:
    """Return the number of prompts of a sweep, and whether those of all sweeps are the same.

    A sweep draws its prompts by its seed. So where arms have several seeds, it is enough that the
    k-th sweeps of all arms were scored on the same prompts.

    Raises:
        UserError: If the prompts are not the same for all, or not known.
    """
    known = [[_prompts_of(side) for side in arm] for arm in arms]
    if len({found for arm in known for found in arm}) == 1:
        return known[0][0][1], True
    in_turn = len({len(arm) for arm in arms}) == 1 and len(arms[0]) > 1
    if in_turn and all(len(set(row)) == 1 for row in zip(*known, strict=True)):
        return known[0][0][1], False
    first, wanted = arms[0][0], known[0][0]
    for side, found in _rivals(arms, known, in_turn=in_turn):
        raise UserError(
            f"{first.label} and {side.label} were not scored on the same prompts: "
            f"{wanted[1]} with digest {wanted[0][:12]}, {found[1]} with {found[0][:12]}",
            hint="run them with the same `data`, `seed` and model; of several seeds an arm, name "
            "those of each arm in the same order; `paretoflow diff` takes two that differ",
            code="usage-not-comparable",
        )
    raise AssertionError("prompts differ nowhere")


def _rivals(
    arms: Arms, known: Sequence[Sequence[tuple[str, int]]], *, in_turn: bool
) -> Iterator[tuple[Side, tuple[str, int]]]:
    """Yield sweeps with other prompts than they should have."""
    for arm, found in zip(arms, known, strict=True):
        for place, (side, each) in enumerate(zip(arm, found, strict=True)):
            if each != known[0][place if in_turn else 0]:
                yield side, each


def _prompts_of(side: Side) -> tuple[str, int]:
    """Return the digest and number of the prompts that every point was scored on."""
    if not side.points:
        raise UserError(
            f"the front of {side.label} is empty", hint="let the sweep go on", code="usage-no-point"
        )
    kinds = {}
    for point in side.points:
        scores = point.prompt_scores
        found = (point.data, scores.shape[1] if scores.ndim == 2 else 0)
        if not found[0] or found[1] < 2:
            raise UserError(
                f"{point.snapshot_id} in {side.label} has no scores on prompts of its sweep",
                hint="a trainer's own scores and simulated ones cannot be compared",
                code="usage-not-comparable",
            )
        kinds[found] = point
    if len(kinds) > 1:
        raise UserError(
            f"the points of {side.label} were not all scored on the same prompts",
            hint="a trainer's own scores cannot be compared",
            code="usage-not-comparable",
        )
    return next(iter(kinds))


def _worth(side: Side) -> Worth:
    found = side_worth(side)
    assert found is not None  # `_prompts_of` has checked this
    return found


def _share(gains: FloatArray, joint: FloatArray) -> float:
    has = (joint[:, None, :] == gains[None, :, :]).all(axis=2).any(axis=1)
    return float(has.mean())
