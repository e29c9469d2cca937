"""Two fronts in one picture, and as a self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.shown import html_text as escape
from paretoflow.core.values import Problem
from paretoflow.front.compared import Difference, Side
from paretoflow.report.labels import axis_title, change_text, interval_text, place_name, score_text
from paretoflow.report.still import (
    ACCENT,
    BASE,
    FADED,
    Format,
    Pair,
    Still,
    mark,
    stairs,
    still_page,
    strands,
)

_STYLES = (
    {"color": BASE, "fmt": "s", "markersize": 6},
    {"color": ACCENT, "fmt": "o", "markersize": 7},
)


def diff_plot(found: Difference, fmt: Format = "png") -> bytes:
    """Return a picture of both fronts over each other, as `png` (150 dots per inch) or `svg`.

    The same difference gives the same bytes on the same versions of matplotlib and its fonts.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    picture = Still(
        found.a.side.problem,
        lambda axes, pair: _plane(axes, found, pair),
        lambda axes: _parallel(axes, found),
        change_text(found).replace(" (95", "\n(95"),
        salt="diff",
        size=(7.2, 5.0),
        legend_columns=1,
    )
    return picture.drawn(fmt)


def diff_page(found: Difference) -> str:
    """Return the picture and the numbers as one HTML page without scripts.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    svg = diff_plot(found, "svg").decode()
    sides = [found.a, found.b]
    rows = {
        "": [escape(place_name(s.side.label)) for s in sides],
        "front": [escape(s.side.front_name) for s in sides],
        "points": [str(len(s.side.points)) for s in sides],
        "hypervolume": [interval_text(s.hypervolume, s.corrected, s.interval) for s in sides],
        "beaten by the other": [f"{len(s.beaten)} of {len(s.side.points)}" for s in sides],
        "covers of the other": [f"{s.covers:.0%}" for s in sides],
    }
    body = "".join(
        f"<tr><th>{name}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for name, cells in rows.items()
    )
    problem = found.a.side.problem
    notes = "".join(
        f"<p>{escape(note.replace(found.a.side.label, place_name(found.a.side.label)))}</p>"
        for note in found.notes
    )
    title = f"{place_name(found.a.side.label)} and {place_name(found.b.side.label)}"
    return still_page(
        title,
        "<h1>Two fronts</h1>"
        f"<p><b>{escape(change_text(found))}</b></p>{notes}"
        f"<figure>{svg[svg.index('<svg') :]}</figure><table>{body}</table>"
        f"<p>{len(found.kept)} points are in both.</p>"
        f"{_list('Gained: only in B', found.gained, problem)}"
        f"{_list('Lost: only in A', found.lost, problem)}",
    )


def _list(title: str, points: Sequence[Evaluation], problem: Problem) -> str:
    if not points:
        return ""
    head = "".join(f"<th>{escape(axis_title(o))}</th>" for o in problem.objectives)
    rows = "".join(
        f"<tr><td>{escape(p.snapshot_id)}</td>"
        + "".join(f"<td>{score_text(s, e)}</td>" for s, e in zip(p.scores, p.stderr, strict=True))
        + "</tr>"
        for p in points
    )
    return f"<h2>{title}</h2><table><tr><th>checkpoint</th>{head}</tr>{rows}</table>"


def _label(letter: str, side: Side) -> str:
    return f"{letter}  {place_name(side.label)}, {len(side.points)} points"


def _groups(found: Difference) -> list[tuple[Side, str, dict[str, Any]]]:
    sides = (found.a.side, found.b.side)
    return [(s, _label(k, s), style) for s, k, style in zip(sides, "AB", _STYLES, strict=True)]


def _plane(axes: Any, found: Difference, pair: Pair) -> None:
    problem = found.a.side.problem
    kept = {p.identity for p in found.kept}
    for side, label, style in _groups(found):
        if problem.m == 2 and side.points:
            axes.plot(*stairs(side.points, problem), color=style["color"], alpha=0.45, linewidth=1)
        own = [p for p in side.points if p.identity not in kept]
        mark(axes, own, pair, {**style, "label": label})
    shared = {"color": FADED, "fmt": "D", "markersize": 5, "label": "in both"}
    mark(axes, found.kept, pair, shared)


def _parallel(axes: Any, found: Difference) -> None:
    problem = found.a.side.problem
    for side, label, style in _groups(found):
        strands(axes, side.points, problem, style, label)
    axes.set_ylabel("share of the frozen range of A")
