"""The report's charts as plain plotly dictionaries; colours are names of the page's CSS variables.

Axes are oriented so that better is always up and to the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from paretoflow.core.values import BASE_RUN_ID, Direction, FloatArray, ObjectiveInfo
from paretoflow.core.views import SweepView
from paretoflow.front.orient import gains_of
from paretoflow.front.selection import normalised_gains
from paretoflow.report.hover import Hover
from paretoflow.report.labels import axis_title
from paretoflow.report.traces import clouds, region, stems, strand

Figure = dict[str, Any]

FONT = "system-ui, sans-serif"


def front_figures(view: SweepView) -> dict[str, Figure]:
    """Return the charts of the front by name: a plane, or 3-D and parallel coordinates."""
    if view.front.problem.m == 2:
        return {"front": plane_figure(view)}
    return {"front": space_figure(view), "parallel": parallel_figure(view)}


def plane_figure(view: SweepView) -> Figure:
    """Return the scatter of two objectives, with the dominated region shaded."""
    x, y = view.front.problem.objectives
    data = [region(view.front)] if view.front.points else []
    data += [{**trace, "type": "scatter"} for trace in clouds(view, 2)]
    scores = np.array([e.scores for e in view.evaluations])
    margin = np.array([e.stderr for e in view.evaluations]).max(axis=0)
    layout = chart_layout(560)
    layout["xaxis"] |= {
        "title": {"text": axis_title(x)},
        "range": _range(x, scores[:, 0], margin[0]),
    }
    layout["yaxis"] |= {
        "title": {"text": axis_title(y)},
        "range": _range(y, scores[:, 1], margin[1]),
    }
    return {"data": data, "layout": layout}


def space_figure(view: SweepView) -> Figure:
    """Return the scatter of the first three objectives, front points on stems to the floor."""
    objectives = view.front.problem.objectives[:3]
    data = [stems(view)] if view.front.points else []
    data += [{**trace, "type": "scatter3d"} for trace in clouds(view, 3)]
    layout = chart_layout(600)
    layout["scene"] = {
        "camera": {
            "eye": {"x": 1.25, "y": -1.45, "z": 0.65},
            "center": {"x": 0, "y": 0, "z": -0.22},
        },
        "aspectmode": "manual",
        "aspectratio": {"x": 1.15, "y": 1.15, "z": 0.8},
    }
    for letter, objective in zip("xyz", objectives, strict=True):
        upward = objective.direction is Direction.MAXIMIZE
        layout["scene"][f"{letter}axis"] = {
            "title": {"text": axis_title(objective)},
            "autorange": True if upward else "reversed",
            "gridcolor": "var(--faded)",
            "showbackground": False,
            "zeroline": False,
        }
    layout["legend"]["itemsizing"] = "constant"
    layout["margin"] |= {"l": 0, "r": 0, "b": 0}
    return {"data": data, "layout": layout}


def parallel_figure(view: SweepView) -> Figure:
    """Return parallel coordinates in shares of the frozen ranges, the better end on top."""
    problem, shown = view.front.problem, {p.snapshot_id for p in view.front.points}
    rows = [e for e in view.evaluations if e.snapshot_id not in shown and e.run_id != BASE_RUN_ID]
    heights = normalised_gains(
        gains_of(np.array([e.scores for e in view.evaluations]), problem), problem
    )
    by_id = {e.snapshot_id: h for e, h in zip(view.evaluations, heights, strict=True)}
    hover = Hover(view)
    data = [strand([by_id[e.snapshot_id] for e in rows], "dominated", "var(--faded)", 1)]
    for number, point in enumerate(view.front.points, start=1):
        if point.run_id == BASE_RUN_ID:
            continue
        line = strand([by_id[point.snapshot_id]], "front", "var(--accent)", 2)
        text = hover.text(point.snapshot_id, f"point {number}")
        line |= {
            "hovertext": [text] * problem.m,
            "legendgroup": "front",
            "showlegend": number == 1,
        }
        data.append(line)
    base = [by_id[e.snapshot_id] for e in view.evaluations if e.run_id == BASE_RUN_ID]
    data.append(strand(base, "base model", "var(--base)", 2, dash="dash"))
    layout = chart_layout(460)
    ends = [
        (o.low, o.high) if o.direction is Direction.MAXIMIZE else (o.high, o.low)
        for o in problem.objectives
    ]
    layout["xaxis"] |= {
        "tickmode": "array",
        "tickvals": list(range(problem.m)),
        "ticktext": [
            f"<b>{axis_title(o)}</b><br>{w:g} … {b:g}"
            for o, (w, b) in zip(problem.objectives, ends, strict=True)
        ],
        "range": [-0.25, problem.m - 0.75],
        "gridcolor": "var(--muted)",
    }
    layout["yaxis"] |= {"title": {"text": "share of the frozen range"}, "tickformat": ".0%"}
    return {"data": data, "layout": layout}


def growth_figures(view: SweepView) -> dict[str, Figure]:
    """Return the hypervolume over finished runs, and over device seconds."""
    runs, spent, volume = ([row[k] for row in view.curve] for k in range(3))
    return {
        "growth-runs": _growth(runs, volume, "finished runs"),
        "growth-cost": _growth(spent, volume, "device seconds, failed attempts included"),
    }


def _growth(x: Sequence[float], y: Sequence[float], title: str) -> Figure:
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": x,
        "y": y,
        "line": {"shape": "hv", "color": "var(--accent)", "width": 2},
        "marker": {"size": 6, "color": "var(--accent)"},
        "hovertemplate": "%{y:.4g} at %{x:.4g}<extra></extra>",
        "showlegend": False,
    }
    layout = chart_layout(300)
    layout["xaxis"] |= {"title": {"text": title}, "rangemode": "tozero"}
    layout["yaxis"] |= {"title": {"text": "hypervolume"}, "rangemode": "tozero"}
    return {"data": [trace], "layout": layout}


def chart_layout(height: int) -> Figure:
    """Return the common layout of a chart of this height in pixels."""
    axis = {
        "gridcolor": "var(--grid)",
        "zeroline": False,
        "linecolor": "var(--grid)",
        "automargin": True,
    }
    return {
        "height": height,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--ink)", "family": FONT, "size": 13},
        "hoverlabel": {
            "align": "left",
            "bgcolor": "var(--raised)",
            "font": {"color": "var(--ink)", "family": FONT},
        },
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "margin": {"l": 60, "r": 20, "t": 40, "b": 50},
        "modebar": {
            "bgcolor": "rgba(0,0,0,0)",
            "color": "var(--muted)",
            "activecolor": "var(--ink)",
        },
        "xaxis": dict(axis),
        "yaxis": dict(axis),
    }


def _range(objective: ObjectiveInfo, scores: FloatArray, margin: float) -> list[float]:
    """Return axis ends that leave room around the points, the worse end first."""
    low, high = float(scores.min() - margin), float(scores.max() + margin)
    room = 0.07 * (high - low) or 1.0
    ends = [low - room, high + room]
    return ends if objective.direction is Direction.MAXIMIZE else ends[::-1]
