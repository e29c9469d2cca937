"""Checks whether the content of an export's manifest follows from its evaluations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from paretoflow.core.evaluation import Evaluation
from paretoflow.exporters.manifest import MANIFEST
from paretoflow.exporters.values import Manifest
from paretoflow.front.bootstrap import hypervolume_interval
from paretoflow.front.claimed import claimed_worth, clouds_of, same_prompts
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.front.worth import RULES

TOLERANCE = 1e-9
"""Relative tolerance: sums of many numbers may round differently on another machine."""


def recomputed_faults(manifest: Manifest, rows: Sequence[Evaluation]) -> Iterator[str]:
    """Yield each difference of the manifest from the results recomputed from the evaluations."""
    table, problem = manifest.tables["evaluations"], manifest.problem
    if manifest.ref_point != tuple(o.ref for o in problem.objectives):
        yield f"{MANIFEST}: its reference point is not that of its objectives"
    yield from (f"{table}: {fault}" for row in rows for fault in _row_faults(row))
    by_id = {r.snapshot_id: r for r in rows}
    for point in manifest.points:
        row = by_id.get(point.snapshot_id)
        if row is None:
            yield f"{table}: lacks the point {point.snapshot_id}"
        elif (_scores(row), row.digest) != (point.scores, point.digest):
            yield f"{table}: the scores or adapter of {point.snapshot_id} are not the manifest's"
    if len(by_id) != len(rows):
        yield f"{table}: a checkpoint is there twice"
    yield from _front_differs(manifest, rows)
    yield from _volume_faults(manifest, rows)


def mark_faults(
    manifest: Manifest, rows: Sequence[Evaluation], marks: Sequence[bool]
) -> Iterator[str]:
    """Yield the rows that the table of evaluations marks wrongly as on or off the front."""
    table, names = manifest.tables["evaluations"], {p.snapshot_id for p in manifest.points}
    for row, marked in zip(rows, marks, strict=True):
        if marked != (row.snapshot_id in names):
            yield f"{table}: {row.snapshot_id} is marked wrongly as on or off the front"


def _scores(row: Evaluation) -> tuple[float, ...]:
    return tuple(row.scores.tolist())


def _row_faults(row: Evaluation) -> Iterator[str]:
    if row.prompt_scores.ndim != 2:
        return
    if row.prompt_scores.shape[1] != row.n:
        yield f"{row.snapshot_id} has {row.prompt_scores.shape[1]} scores of prompts, not {row.n}"
    elif not np.allclose(row.prompt_scores.mean(axis=1), row.scores, rtol=TOLERANCE, atol=1e-12):
        yield f"a score of {row.snapshot_id} is not the mean of its prompts"


def _front_differs(manifest: Manifest, rows: Sequence[Evaluation]) -> Iterator[str]:
    """Yield the points that should be on the front and are not, and the other way round."""
    problem = manifest.problem
    scores = np.array([r.scores for r in rows]).reshape(-1, problem.m)
    on_front = nondominated(gains_of(scores, problem))
    # equal scores are one point of a front, and either row may represent them
    expected = {_scores(r) for r, on in zip(rows, on_front, strict=True) if on}
    given = {p.scores for p in manifest.points}
    for row, on in zip(rows, on_front, strict=True):
        if on and _scores(row) not in given:
            yield f"{MANIFEST}: lacks {row.snapshot_id}, which no evaluation dominates"
    for point in manifest.points:
        if point.scores not in expected:
            yield f"{MANIFEST}: {point.snapshot_id} is not on the front that the evaluations give"


def _volume_faults(manifest: Manifest, rows: Sequence[Evaluation]) -> Iterator[str]:
    """Yield a hypervolume or an interval that does not follow from the evaluations."""
    problem = manifest.problem
    ref = ref_gains(problem)
    scores = np.array([r.scores for r in rows]).reshape(-1, problem.m)
    found = hypervolume(gains_of(scores, problem), ref)
    if not np.isclose(found, manifest.hypervolume, rtol=TOLERANCE, atol=0):
        yield f"{MANIFEST}: hypervolume {manifest.hypervolume!r}, the evaluations give {found!r}"
    corrected, interval = _believed(manifest, rows, found)
    if not np.allclose(interval, manifest.interval, rtol=TOLERANCE, atol=0):
        yield f"{MANIFEST}: interval {manifest.interval}, the evaluations give {interval}"
    told = manifest.corrected
    if (told is None) != (corrected is None) or not np.isclose(
        told or 0.0, corrected or 0.0, rtol=TOLERANCE, atol=0
    ):
        yield f"{MANIFEST}: corrected hypervolume {told}, the evaluations give {corrected}"


def _believed(
    manifest: Manifest, rows: Sequence[Evaluation], reported: float
) -> tuple[float | None, tuple[float, float]]:
    """Return the corrected hypervolume and the interval, by the rule that the manifest names."""
    claimed = rows_of_front(manifest, rows)
    if claimed is None:
        return None, (reported, reported)
    if manifest.selected:
        rule = RULES[manifest.rule]
        found = claimed_worth(rows, claimed, manifest.problem, rule)
        assert found is not None  # `rows_of_front` has checked this
        return found.corrected, found.interval
    clouds = clouds_of([rows[number] for number in claimed], manifest.problem)
    return None, hypervolume_interval(clouds, ref_gains(manifest.problem))


def rows_of_front(manifest: Manifest, rows: Sequence[Evaluation]) -> list[int] | None:
    """Return indices of the rows on the front; None without scores of the same prompts."""
    names = {p.snapshot_id for p in manifest.points}
    claimed = [number for number, row in enumerate(rows) if row.snapshot_id in names]
    front = [rows[number] for number in claimed]
    if manifest.selected:
        return claimed if same_prompts(front) else None
    # earlier versions did not compare the prompts
    shapes = {row.prompt_scores.shape for row in front}
    whole = len(shapes) == 1 and len(shape := shapes.pop()) == 2 and shape[1] >= 2
    return claimed if whole else None
