"""The marks in the report's charts, as plain plotly dictionaries; see `figures`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.values import BASE_RUN_ID, FloatArray
from paretoflow.core.views import FrontView, SweepView
from paretoflow.front.orient import gains_of, ref_gains, scores_of
from paretoflow.report.hover import Hover

Trace = dict[str, Any]

SYMBOLS = {"weighted": "circle", "constrained": "diamond", "merge": "square", "reevaluate": "cross"}
NUMBERED = 30
"""Largest number of front points for which the chart shows their numbers."""


def region(front: FrontView) -> Trace:
    """Return the staircase that bounds what the front dominates, closed at the reference point."""
    gains = gains_of(np.array([p.scores for p in front.points]), front.problem)
    ref = ref_gains(front.problem)
    path = [np.array([gains[0, 0], ref[1]])]
    for here, there in pairwise(gains):
        path += [here, np.minimum(here, there)]
    path += [gains[-1], np.array([ref[0], gains[-1, 1]]), ref]
    corners = scores_of(np.array(path), front.problem)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": corners[:, 0].tolist(),
        "y": corners[:, 1].tolist(),
        "fill": "toself",
        "fillcolor": "var(--wash)",
        "line": {"color": "var(--accent-soft)", "width": 1},
        "hoverinfo": "skip",
        "name": "hypervolume",
    }


def clouds(view: SweepView, axes: int) -> list[Trace]:
    """Return dominated evaluations, front points by kind, and the base, without plotly's type."""
    shown = {p.snapshot_id for p in view.front.points}
    dominated = [
        e for e in view.evaluations if e.snapshot_id not in shown and e.run_id != BASE_RUN_ID
    ]
    base = [e for e in view.evaluations if e.run_id == BASE_RUN_ID]
    hover, flat = Hover(view), axes == 2
    texts = [hover.text(e.snapshot_id, "dominated") for e in dominated]
    traces = [_cloud(dominated, axes, {"name": "dominated", "hovertext": texts})]
    traces[0]["marker"] = {"color": "var(--faded)", "size": 7 if flat else 3, "opacity": 0.6}
    numbered = [(i, p) for i, p in enumerate(view.front.points, start=1) if p.run_id != BASE_RUN_ID]
    for kind in dict.fromkeys(p.kind for _, p in numbered):
        group = [(i, p) for i, p in numbered if p.kind == kind]
        labels = [str(i) for i, _ in group] if len(numbered) <= NUMBERED else []
        trace = _cloud([p.evaluation for _, p in group], axes, {"name": f"front, {kind}"})
        trace |= {
            "hovertext": [hover.text(p.snapshot_id, f"point {i}") for i, p in group],
            "text": labels,
        }
        trace |= {"mode": "markers+text" if labels else "markers", "textposition": "top right"}
        trace["textfont"] = {"color": "var(--muted)", "size": 11}
        trace["marker"] = _marker("var(--accent)", SYMBOLS.get(kind, "circle"), 11 if flat else 6)
        traces.append(trace | _error_bars([p.evaluation for _, p in group], axes, "accent"))
    texts = [hover.text(e.snapshot_id, "base model") for e in base]
    trace = _cloud(base, axes, {"name": "base model", "hovertext": texts})
    trace["marker"] = _marker("var(--base)", "star" if flat else "circle", 15 if flat else 6)
    return [*traces, trace | _error_bars(base, axes, "base")]


def _cloud(rows: Sequence[Evaluation], axes: int, extra: Trace) -> Trace:
    columns = {"xyz"[k]: [r.scores[k] for r in rows] for k in range(axes)}
    return {"mode": "markers", "hoverinfo": "text", **columns, **extra}


def _marker(color: str, symbol: str, size: int) -> Trace:
    return {
        "color": color,
        "symbol": symbol,
        "size": size,
        "line": {"color": "var(--surface)", "width": 1.5},
    }


def _error_bars(rows: Sequence[Evaluation], axes: int, color: str) -> Trace:
    # WebGL does not blend half-transparent lines well
    style = {
        "type": "data",
        "color": f"var(--{color}{'-soft' if axes == 2 else ''})",
        "thickness": 1.2,
        "width": 0,
    }
    return {
        f"error_{'xyz'[k]}": {**style, "array": [row.stderr[k] for row in rows]}
        for k in range(axes)
    }


def stems(view: SweepView) -> Trace:
    """Return thin lines from each front point to the worst score seen in the third objective."""
    problem = view.front.problem
    worst = scores_of(
        gains_of(np.array([e.scores for e in view.evaluations]), problem).min(axis=0), problem
    )[2]
    columns: dict[str, list[float | None]] = {"x": [], "y": [], "z": []}
    for point in view.front.points:
        x, y, z = point.scores[:3]
        for letter, values in zip(
            "xyz", ((x, x, None), (y, y, None), (z, float(worst), None)), strict=True
        ):
            columns[letter] += values
    line = {"color": "var(--faded)", "width": 2}
    return {
        "type": "scatter3d",
        "mode": "lines",
        **columns,
        "line": line,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def strand(
    heights: Sequence[FloatArray], name: str, color: str, width: int, dash: str = "solid"
) -> Trace:
    """Return lines over the axes of parallel coordinates as one trace, broken between rows."""
    x: list[float | None] = []
    y: list[float | None] = []
    for row in heights:
        x += [*range(len(row)), None]
        y += [*row.tolist(), None]
    single = len(heights) == 1
    return {
        "type": "scatter",
        "mode": "lines+markers" if single else "lines",
        "x": x[:-1],
        "y": y[:-1],
        "line": {"color": color, "width": width, "dash": dash},
        "marker": {"color": color, "size": 7},
        "opacity": 0.9 if single else 0.5,
        "hoverinfo": "text" if single else "skip",
        "hovertext": [name] * len(x[:-1]),
        "name": name,
    }
