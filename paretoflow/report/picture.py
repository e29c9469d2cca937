"""The front as a still picture for cards and papers, by matplotlib without a display."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any, Literal

import numpy as np

from paretoflow.core.errors import MissingExtraError
from paretoflow.core.values import BASE_RUN_ID, Direction, FloatArray
from paretoflow.core.views import EvaluationRow, FrontPoint, SweepView
from paretoflow.front.orient import gains_of, scores_of
from paretoflow.front.selection import normalised_gains
from paretoflow.report.labels import axis_title

INK, FADED, ACCENT, BASE, GRID = "#1c1c1a", "#a5a49c", "#2268b8", "#c4541a", "#e4e3dd"
PLANES = 3
"""Up to this many objectives every pair gets a plane; beyond, parallel coordinates are drawn."""


def static_plot(view: SweepView, fmt: Literal["png", "svg"] = "png") -> bytes:
    """Return a picture of the front, dominated evaluations and the base.

    The same view gives the same bytes on the same versions of matplotlib and its fonts.

    Args:
        view: What to draw.
        fmt: `png` (150 dots per inch) or `svg`.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            "the picture of the front needs matplotlib, which is not installed",
            hint="pip install 'paretoflow[report]'",
        ) from error

    m = view.front.problem.m
    with mpl.rc_context({"svg.hashsalt": view.front.sweep, "font.size": 10}):
        pairs = list(combinations(range(m), 2)) if m <= PLANES else []
        figure = Figure(
            figsize=(6.4, 4.6) if m == 2 else (13, 4.4) if pairs else (9, 4.6), layout="constrained"
        )
        for k, pair in enumerate(pairs, start=1):
            axes = figure.add_subplot(1, len(pairs), k)
            _plane(axes, view, pair)
        if not pairs:
            axes = figure.add_subplot()
            _parallel(axes, view)
        _style(figure, view)
        target = io.BytesIO()
        figure.savefig(
            target, format=fmt, dpi=150, metadata={"Date": None} if fmt == "svg" else None
        )
    return target.getvalue()


def _style(figure: Any, view: SweepView) -> None:
    front = view.front
    low, high = front.hypervolume_ci
    figure.suptitle(
        f"{front.sweep}: {len(front.points)} points after {front.finished} runs, "
        f"hypervolume {front.hypervolume:.4g} [{low:.4g}, {high:.4g}]",
        fontsize=11,
        color=INK,
        parse_math=False,
    )
    for axes in figure.axes:
        axes.grid(visible=True, color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=INK, length=0)
        for side in ("top", "right", "left", "bottom"):
            axes.spines[side].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)


def _groups(view: SweepView) -> tuple[list[EvaluationRow], list[EvaluationRow]]:
    """Return the dominated evaluations and the base's."""
    shown = {p.snapshot_id for p in view.front.points}
    others = [e for e in view.evaluations if e.snapshot_id not in shown and e.run_id != BASE_RUN_ID]
    return others, [e for e in view.evaluations if e.run_id == BASE_RUN_ID]


def _plane(axes: Any, view: SweepView, pair: tuple[int, int]) -> None:
    problem = view.front.problem
    dominated, base = _groups(view)
    front = [p for p in view.front.points if p.run_id != BASE_RUN_ID]
    axes.scatter(
        *_columns(dominated, pair), s=18, color=FADED, alpha=0.6, linewidths=0, label="dominated"
    )
    if problem.m == 2 and view.front.points:
        gains = gains_of(np.array([p.scores for p in view.front.points]), problem)
        steps = np.array(
            [gains[0], *(c for a, b in pairwise(gains) for c in (np.minimum(a, b), b))]
        )
        axes.plot(*scores_of(steps, problem).T, color=ACCENT, alpha=0.45, linewidth=1)
    _marks(axes, front, pair, {"fmt": "o", "color": ACCENT, "markersize": 7, "label": "front"})
    _marks(axes, base, pair, {"fmt": "*", "color": BASE, "markersize": 13, "label": "base model"})
    x, y = (problem.objectives[k] for k in pair)
    axes.set_xlabel(axis_title(x), color=INK, parse_math=False)
    axes.set_ylabel(axis_title(y), color=INK, parse_math=False)
    axes.margins(0.08)
    if x.direction is Direction.MINIMIZE:
        axes.invert_xaxis()
    if y.direction is Direction.MINIMIZE:
        axes.invert_yaxis()


def _marks(
    axes: Any,
    rows: Sequence[FrontPoint | EvaluationRow],
    pair: tuple[int, int],
    style: dict[str, Any],
) -> None:
    if not rows:
        return
    x_error, y_error = ([r.stderr[k] for r in rows] for k in pair)
    axes.errorbar(
        *_columns(rows, pair),
        xerr=x_error,
        yerr=y_error,
        elinewidth=0.9,
        markeredgecolor="white",
        zorder=3,
        **style,
    )


def _columns(
    rows: Sequence[FrontPoint | EvaluationRow], pair: tuple[int, int]
) -> tuple[list[float], list[float]]:
    return [r.scores[pair[0]] for r in rows], [r.scores[pair[1]] for r in rows]


def _parallel(axes: Any, view: SweepView) -> None:
    problem = view.front.problem
    dominated, base = _groups(view)
    front = [p for p in view.front.points if p.run_id != BASE_RUN_ID]

    def heights(rows: Sequence[FrontPoint | EvaluationRow]) -> FloatArray:
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
    axes.set_xticks(
        range(problem.m), [axis_title(o).replace(", ", "\n") for o in problem.objectives]
    )
    axes.set_ylabel("share of the frozen range")
