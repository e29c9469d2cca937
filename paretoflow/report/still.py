"""Common parts of still pictures: canvas, colours, plain axes, marks with error bars, staircases.

matplotlib draws them without a display; each picture decides on its content.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any, Literal

import numpy as np

from paretoflow.core.errors import MissingExtraError
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.shown import html_text as escape
from paretoflow.core.values import Direction, FloatArray, Problem
from paretoflow.front.orient import gains_of, scores_of
from paretoflow.front.selection import normalised_gains
from paretoflow.report.labels import axis_title

INK, FADED, ACCENT, BASE, GRID = "#1c1c1a", "#a5a49c", "#2268b8", "#c4541a", "#e4e3dd"
PLANES = 3
"""Number of objectives up to which every pair has a plane; beyond, there are parallel coordinates.
"""

Format = Literal["png", "svg"]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Still:
    """A picture before it is drawn.

    Args:
        problem: Objectives of its axes.
        plane: Draws two objectives, given by their numbers, into axes.
        parallel: Draws all objectives side by side into axes, if there are too many for planes.
        title: Title above the picture.
        salt: Seed of the ids in an SVG, so that they are the same in every drawing.
        size: Width of a picture of one plane, and height, in inches.
        legend_columns: Largest number of legend entries side by side.
    """

    problem: Problem
    plane: Callable[[Any, Pair], None]
    parallel: Callable[[Any], None]
    title: str
    salt: str
    size: tuple[float, float] = (6.4, 4.6)
    legend_columns: int = 3

    def drawn(self, fmt: Format) -> bytes:
        """Return the picture as `png` (150 dots per inch) or `svg`.

        Raises:
            MissingExtraError: If matplotlib is not installed.
        """
        try:
            import matplotlib as mpl
            from matplotlib.figure import Figure
        except ImportError as error:
            raise MissingExtraError.of("a picture", "matplotlib", "report") from error
        m, (width, height) = self.problem.m, self.size
        pairs = list(combinations(range(m), 2)) if m <= PLANES else []
        if m != 2:
            width, height = (13, height - 0.2) if pairs else (9, height)
        target = io.BytesIO()
        with mpl.rc_context({"svg.hashsalt": self.salt, "font.size": 10}):
            figure = Figure(figsize=(width, height), layout="constrained")
            self._fill(figure, pairs)
            self._style(figure)
            date = {"Date": None} if fmt == "svg" else None
            figure.savefig(target, format=fmt, dpi=150, metadata=date)
        return target.getvalue()

    def _fill(self, figure: Any, pairs: Sequence[Pair]) -> None:
        for k, pair in enumerate(pairs, start=1):
            axes = figure.add_subplot(1, len(pairs), k)
            self.plane(axes, pair)
            self._turn(axes, pair)
        if not pairs:
            axes = figure.add_subplot()
            self.parallel(axes)
            titles = [axis_title(o).replace(", ", "\n") for o in self.problem.objectives]
            axes.set_xticks(range(self.problem.m), titles)

    def _turn(self, axes: Any, pair: Pair) -> None:
        """Label the axes of a plane, and orient them so that better is up and to the right."""
        x, y = (self.problem.objectives[k] for k in pair)
        axes.set_xlabel(axis_title(x), color=INK, parse_math=False)
        axes.set_ylabel(axis_title(y), color=INK, parse_math=False)
        axes.margins(0.08)
        if x.direction is Direction.MINIMIZE:
            axes.invert_xaxis()
        if y.direction is Direction.MINIMIZE:
            axes.invert_yaxis()

    def _style(self, figure: Any) -> None:
        figure.suptitle(self.title, fontsize=11, color=INK, parse_math=False)
        for axes in figure.axes:
            axes.grid(visible=True, color=GRID, linewidth=0.8)
            axes.set_axisbelow(True)
            axes.tick_params(colors=INK, length=0)
            for side in ("top", "right", "left", "bottom"):
                axes.spines[side].set_visible(False)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        legend = figure.legend(
            handles, labels, loc="outside lower center", ncols=self.legend_columns, frameon=False
        )
        for text in legend.get_texts():
            text.set_parse_math(False)


def columns(points: Sequence[Evaluation], pair: Pair) -> tuple[list[float], list[float]]:
    """Return the scores of points in two objectives."""
    return [p.scores[pair[0]] for p in points], [p.scores[pair[1]] for p in points]


def mark(axes: Any, points: Sequence[Evaluation], pair: Pair, style: dict[str, Any]) -> None:
    """Draw points with bars of one standard error; `style` is matplotlib's, with its `fmt`."""
    x_error, y_error = ([p.stderr[k] for p in points] for k in pair)
    axes.errorbar(
        *columns(points, pair),
        xerr=x_error,
        yerr=y_error,
        elinewidth=0.8,
        markeredgecolor="white",
        zorder=3,
        **style,
    )


def strands(
    axes: Any, points: Sequence[Evaluation], problem: Problem, style: dict[str, Any], label: str
) -> None:
    """Draw points as lines over all objectives, in shares of the frozen ranges, better on top."""
    scores = np.array([p.scores for p in points]).reshape(-1, problem.m)
    for k, row in enumerate(normalised_gains(gains_of(scores, problem), problem)):
        axes.plot(
            row,
            color=style["color"],
            marker=style["fmt"],
            markersize=4,
            linewidth=1.2,
            alpha=0.8,
            label=None if k else label,
        )


def stairs(points: Sequence[Evaluation], problem: Problem) -> FloatArray:
    """Return the edge of the region that a front of two objectives dominates, as scores.

    Args:
        points: At least one.
        problem: Directions of the objectives.

    Returns:
        Shape (2, corners).
    """
    gains = gains_of(np.array([p.scores for p in points]), problem)
    gains = gains[np.argsort(-gains[:, 0], kind="stable")]
    corners = [gains[0], *(c for a, b in pairwise(gains) for c in (np.minimum(a, b), b))]
    return scores_of(np.array(corners), problem).T


def still_page(title: str, body: str) -> str:
    """Return HTML as a complete page that loads nothing and runs no script.

    Args:
        title: Plain text.
        body: HTML, escaped.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_CSS}</style></head><body>{body}</body></html>\n"
    )


_CSS = (
    f"body{{font:15px/1.5 system-ui,sans-serif;color:{INK};background:#fff;max-width:960px;"
    "margin:0 auto;padding:28px}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    f"th,td{{text-align:left;padding:5px 18px 5px 0;border-top:1px solid {GRID};font-size:14px}}"
    "figure{margin:18px 0}svg{max-width:100%;height:auto}td{white-space:pre-line}"
)
