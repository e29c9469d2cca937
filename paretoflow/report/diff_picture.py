"""Two fronts in one picture, and as a page that loads nothing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from paretoflow.core.errors import MissingExtraError
from paretoflow.core.values import Direction, Problem
from paretoflow.front.compared import Difference, Side, SidePoint
from paretoflow.front.orient import gains_of, scores_of
from paretoflow.front.selection import normalised_gains
from paretoflow.report.labels import axis_title, change_text, interval_text, score_text
from paretoflow.report.picture import ACCENT, BASE, FADED, GRID, INK, PLANES

_STYLES = (
    {"color": BASE, "fmt": "s", "markersize": 6},
    {"color": ACCENT, "fmt": "o", "markersize": 7},
)


def diff_plot(found: Difference, fmt: str = "png") -> bytes:
    """Return a picture of both fronts over each other, as `png` (150 dots per inch) or `svg`.

    The same difference gives the same bytes on the same versions of matplotlib and its fonts.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            "the picture of two fronts needs matplotlib, which is not installed",
            hint="pip install 'paretoflow[report]'",
        ) from error
    problem = found.a.side.problem
    pairs = list(combinations(range(problem.m), 2)) if problem.m <= PLANES else []
    size = (7.2, 5.0) if problem.m == 2 else (13, 4.8) if pairs else (9, 5.0)
    with mpl.rc_context({"svg.hashsalt": "diff", "font.size": 10}):
        figure = Figure(figsize=size, layout="constrained")
        for k, pair in enumerate(pairs, start=1):
            _plane(figure.add_subplot(1, len(pairs), k), found, pair)
        if not pairs:
            _parallel(figure.add_subplot(), found)
        _style(figure, found)
        target = io.BytesIO()
        date = {"Date": None} if fmt == "svg" else None
        figure.savefig(target, format=fmt, dpi=150, metadata=date)
    return target.getvalue()


def diff_page(found: Difference) -> str:
    """Return the picture and the numbers as one HTML page without scripts.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    svg = diff_plot(found, "svg").decode()
    sides = [found.a, found.b]
    rows = {
        "": [escape(s.side.label) for s in sides],
        "front": [escape(f"{s.side.sweep}, front {s.side.snapshot}") for s in sides],
        "points": [str(len(s.side.points)) for s in sides],
        "hypervolume": [interval_text(s.hypervolume, s.interval) for s in sides],
        "beaten by the other": [f"{len(s.beaten)} of {len(s.side.points)}" for s in sides],
        "covers of the other": [f"{s.covers:.0%}" for s in sides],
    }
    body = "".join(
        f"<tr><th>{name}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for name, cells in rows.items()
    )
    problem = found.a.side.problem
    notes = "".join(f"<p>{escape(note)}</p>" for note in found.notes)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(found.a.side.label)} and {escape(found.b.side.label)}</title>"
        f"<style>{_CSS}</style></head><body><h1>Two fronts</h1>"
        f"<p><b>{escape(change_text(found))}</b></p>{notes}"
        f"<figure>{svg[svg.index('<svg') :]}</figure><table>{body}</table>"
        f"<p>{len(found.kept)} points are in both.</p>"
        f"{_list('Gained: only in B', found.gained, problem)}"
        f"{_list('Lost: only in A', found.lost, problem)}</body></html>\n"
    )


_CSS = (
    f"body{{font:15px/1.5 system-ui,sans-serif;color:{INK};background:#fff;max-width:960px;"
    "margin:0 auto;padding:28px}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    f"th,td{{text-align:left;padding:5px 18px 5px 0;border-top:1px solid {GRID};font-size:14px}}"
    "figure{margin:18px 0}svg{max-width:100%;height:auto}"
)


def _list(title: str, points: Sequence[SidePoint], problem: Problem) -> str:
    if not points:
        return ""
    head = "".join(f"<th>{escape(axis_title(o))}</th>" for o in problem.objectives)
    rows = "".join(
        f"<tr><td>{escape(p.snapshot_id)}</td>"
        + "".join(f"<td>{score_text(s, e)}</td>" for s, e in zip(p.scores, p.stderr, strict=True))
        + "</tr>"
        for p in points
    )
    return f"<h2>{title}</h2><table><tr><th>snapshot</th>{head}</tr>{rows}</table>"


def _style(figure: Any, found: Difference) -> None:
    figure.suptitle(
        change_text(found).replace(" (95", "\n(95"), fontsize=11, color=INK, parse_math=False
    )
    for axes in figure.axes:
        axes.grid(visible=True, color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=INK, length=0)
        for side in ("top", "right", "left", "bottom"):
            axes.spines[side].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=1, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _label(letter: str, side: Side) -> str:
    return f"{letter}  {side.label}, {len(side.points)} points"


def _groups(found: Difference) -> list[tuple[Side, str, dict[str, Any]]]:
    sides = (found.a.side, found.b.side)
    return [(s, _label(k, s), style) for s, k, style in zip(sides, "AB", _STYLES, strict=True)]


def _plane(axes: Any, found: Difference, pair: tuple[int, int]) -> None:
    problem = found.a.side.problem
    kept = {p.identity for p in found.kept}
    for side, label, style in _groups(found):
        if problem.m == 2 and side.points:
            axes.plot(*_stairs(side, problem), color=style["color"], alpha=0.45, linewidth=1)
        own = [p for p in side.points if p.identity not in kept]
        _marks(axes, own, pair, {**style, "label": label})
    shared = {"color": FADED, "fmt": "D", "markersize": 5, "label": "in both"}
    _marks(axes, found.kept, pair, shared)
    x, y = (problem.objectives[k] for k in pair)
    axes.set_xlabel(axis_title(x), color=INK, parse_math=False)
    axes.set_ylabel(axis_title(y), color=INK, parse_math=False)
    axes.margins(0.08)
    if x.direction is Direction.MINIMIZE:
        axes.invert_xaxis()
    if y.direction is Direction.MINIMIZE:
        axes.invert_yaxis()


def _stairs(side: Side, problem: Problem) -> Any:
    gains = gains_of(np.array([p.scores for p in side.points]), problem)
    gains = gains[np.argsort(-gains[:, 0])]
    corners = [gains[0], *(c for a, b in pairwise(gains) for c in (np.minimum(a, b), b))]
    return scores_of(np.array(corners), problem).T


def _marks(
    axes: Any, points: Sequence[SidePoint], pair: tuple[int, int], style: dict[str, Any]
) -> None:
    x, y = ([p.scores[k] for p in points] for k in pair)
    errors = [[p.stderr[k] for p in points] for k in pair]
    axes.errorbar(
        x,
        y,
        xerr=errors[0],
        yerr=errors[1],
        elinewidth=0.8,
        markeredgecolor="white",
        zorder=3,
        linestyle="none",
        **{k: v for k, v in style.items() if k != "fmt"},
        marker=style["fmt"],
    )


def _parallel(axes: Any, found: Difference) -> None:
    problem = found.a.side.problem
    for side, label, style in _groups(found):
        scores = np.array([p.scores for p in side.points]).reshape(-1, problem.m)
        rows = normalised_gains(gains_of(scores, problem), problem)
        for k, row in enumerate(rows):
            axes.plot(
                row,
                color=style["color"],
                marker=style["fmt"],
                markersize=4,
                linewidth=1.2,
                alpha=0.8,
                label=label if k == 0 else None,
            )
    axes.set_xticks(
        range(problem.m), [axis_title(o).replace(", ", "\n") for o in problem.objectives]
    )
    axes.set_ylabel("share of the frozen range of A")
