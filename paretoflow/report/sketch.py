"""The first two objectives of a front, drawn without a library: SVG for notebooks, or text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.shown import html_text as escape
from paretoflow.core.values import FloatArray, Problem
from paretoflow.core.views import FrontView
from paretoflow.front.orient import gains_of
from paretoflow.report.labels import axis_title

WIDTH, HEIGHT, PAD = 420, 260, 34
COLUMNS, LINES = 56, 14


def svg(front: FrontView) -> str:
    """Return an SVG element with the front's points; better is up and to the right."""
    x, y = front.problem.objectives[:2]
    wide, high, middle = WIDTH - 2 * PAD, HEIGHT - 2 * PAD, HEIGHT / 2
    dots = "".join(
        f'<circle cx="{PAD + u * wide:.1f}" cy="{HEIGHT - PAD - v * high:.1f}" r="5" '
        f'fill="#2f7fd6"><title>{escape(point.snapshot_id)}</title></circle>'
        for (u, v), point in zip(_unit_square(front), front.points, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        f'<path d="M{PAD} {PAD / 2}V{HEIGHT - PAD}H{WIDTH - PAD / 2}" fill="none" '
        f'stroke="currentColor" opacity=".35"/>{dots}'
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">'
        f"{escape(axis_title(x))}</text>"
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
        f"{escape(axis_title(y))}</text></svg>"
    )


def characters(front: FrontView) -> str:
    """Return the front as text: points by number; a star from 10 on, and where two points meet."""
    marks = [str(number) if number < 10 else "*" for number in range(1, len(front.points) + 1)]
    return _drawn(_unit_square(front), marks, front.problem)


def overlay(fronts: Mapping[str, Sequence[Evaluation]], problem: Problem) -> str:
    """Return several fronts as lines of text, each by its letter; a star where they meet.

    Args:
        fronts: Points by the letter of their front; at least one point in all.
        problem: Objectives, of which the first two are drawn.
    """
    scores = [p.scores for points in fronts.values() for p in points]
    marks = [letter for letter, points in fronts.items() for _ in points]
    return _drawn(_to_unit(np.array(scores), problem), marks, problem)


def _drawn(unit: FloatArray, marks: Sequence[str], problem: Problem) -> str:
    """Return points of the unit square as text; a star where two different marks meet."""
    x, y = problem.objectives[:2]
    canvas = [[" "] * COLUMNS for _ in range(LINES)]
    for mark, (u, v) in zip(marks, unit, strict=True):
        row, column = LINES - 1 - round(v * (LINES - 1)), round(u * (COLUMNS - 1))
        canvas[row][column] = mark if canvas[row][column] in (" ", mark) else "*"
    rows = "\n".join("│" + "".join(line).rstrip() for line in canvas)
    return f"{axis_title(y)}\n{rows}\n└{'─' * COLUMNS}\n{axis_title(x):>{COLUMNS}}"


def _unit_square(front: FrontView) -> FloatArray:
    """Return the first two gains scaled to the front's own extent, shape (n, 2)."""
    scores = np.array([p.scores for p in front.points]).reshape(-1, front.problem.m)
    return _to_unit(scores, front.problem)


def _to_unit(scores: FloatArray, problem: Problem) -> FloatArray:
    gains = gains_of(scores, problem)[:, :2]
    if not len(gains):
        return gains
    extent = gains.max(axis=0) - gains.min(axis=0)
    # a front with one value in an objective is drawn in the middle of its axis
    return np.asarray(
        np.where(extent > 0, (gains - gains.min(axis=0)) / np.where(extent > 0, extent, 1.0), 0.5)
    )
