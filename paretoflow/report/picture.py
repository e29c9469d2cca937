"""The front as a still picture for cards and papers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.values import BASE_RUN_ID, FloatArray
from paretoflow.core.views import SweepView
from paretoflow.front.orient import gains_of
from paretoflow.front.selection import normalised_gains
from paretoflow.report.labels import worth_text
from paretoflow.report.still import ACCENT, BASE, FADED, Format, Pair, Still, columns, mark, stairs


def static_plot(view: SweepView, fmt: Format = "png") -> bytes:
    """Return a picture of the front, dominated evaluations and the base.

    The same view gives the same bytes on the same versions of matplotlib and its fonts.

    Args:
        view: The sweep.
        fmt: `png` (150 dots per inch) or `svg`.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    front = view.front
    title = (
        f"{front.sweep}: {len(front.points)} points after {front.finished} runs\n"
        f"hypervolume {worth_text(front)}"
    )
    picture = Still(
        front.problem,
        lambda axes, pair: _plane(axes, view, pair),
        lambda axes: _parallel(axes, view),
        title,
        salt=front.sweep,
    )
    return picture.drawn(fmt)


def _groups(view: SweepView) -> tuple[list[Evaluation], list[Evaluation], list[Evaluation]]:
    """Return the dominated evaluations, the trained points of the front, and the base's."""
    shown = {p.snapshot_id for p in view.front.points}
    others = [e for e in view.evaluations if e.snapshot_id not in shown and e.run_id != BASE_RUN_ID]
    front = [p.evaluation for p in view.front.points if p.run_id != BASE_RUN_ID]
    return others, front, [e for e in view.evaluations if e.run_id == BASE_RUN_ID]


def _plane(axes: Any, view: SweepView, pair: Pair) -> None:
    problem = view.front.problem
    dominated, front, base = _groups(view)
    axes.scatter(
        *columns(dominated, pair), s=18, color=FADED, alpha=0.6, linewidths=0, label="dominated"
    )
    if problem.m == 2 and view.front.points:
        points = [p.evaluation for p in view.front.points]
        axes.plot(*stairs(points, problem), color=ACCENT, alpha=0.45, linewidth=1)
    if front:
        style = {"fmt": "o", "color": ACCENT, "markersize": 7, "label": "front"}
        mark(axes, front, pair, style)
    if base:
        style = {"fmt": "*", "color": BASE, "markersize": 13, "label": "base model"}
        mark(axes, base, pair, style)


def _parallel(axes: Any, view: SweepView) -> None:
    problem = view.front.problem
    dominated, front, base = _groups(view)

    def heights(rows: Sequence[Evaluation]) -> FloatArray:
        scores = np.array([r.scores for r in rows]).reshape(-1, problem.m)
        return normalised_gains(gains_of(scores, problem), problem)

    for rows, style in (
        (dominated, {"color": FADED, "alpha": 0.5, "linewidth": 0.8, "label": "dominated"}),
        (
            front,
            {"color": ACCENT, "marker": "o", "markersize": 4, "linewidth": 1.5, "label": "front"},
        ),
        (base, {"color": BASE, "linestyle": "--", "linewidth": 1.8, "label": "base model"}),
    ):
        for k, row in enumerate(heights(rows)):
            axes.plot(row, **(style if k == 0 else {**style, "label": None}))
    axes.set_ylabel("share of the frozen range")
