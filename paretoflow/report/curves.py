"""The report's section of training curves: a chart of one run or all, and what it cannot show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from paretoflow.core.curves import KEYS, AttemptRows, attempts_in, by_worth
from paretoflow.core.shown import html_text as escape
from paretoflow.core.views import CurvesView
from paretoflow.report.figures import chart_layout

MOST = 200
"""Most points of one line; a longer one is drawn by the extremes of equal pieces."""
_HEIGHT = 340
_COLOURS = (
    "#2f7ed8", "#c4541a", "#1b7f4d", "#8a5cc2", "#b8860b", "#c23b75", "#3b9c9c", "#85847d",
)  # fmt: skip
"""Colours of the runs, one after another; readable on the light and the dark page."""
_DIGITS = 5
_LISTED = 40
"""Most values that are not finite in the list under the chart."""
_NONE = "No training curves were kept: the sweep is of an earlier version, or trained nothing."


def curves_html(curves: CurvesView | None) -> str:
    """Return the selection, the chart's element, and everything that is absent or not finite."""
    if curves is None or not curves.table.num_rows:
        return f"<p>{_NONE}</p>" + _absent_html(curves)
    attempts = attempts_in(curves.table)
    runs = dict.fromkeys(a.run_id for a in attempts)
    names = by_worth(curves.table.column_names[len(KEYS) :])
    return (
        '<p class="choice"><label>run <select id="curve-run">'
        f'<option value="">all runs</option>{_options(list(runs))}</select></label> '
        f'<label>value <select id="curve-name">{_options(names)}</select></label></p>'
        f'<div class="chart" id="curve" style="height: {_HEIGHT}px"></div>'
        + _not_finite_html(attempts)
        + _absent_html(curves)
    )


def curves_data(curves: CurvesView | None) -> dict[str, Any]:
    """Return the lines of the chart as plain JSON values, with its layout.

    A line has the attempt's run and number, its name, `x` and `y`, and `bad`: the values that are
    not finite, as (step, text).
    """
    attempts = [] if curves is None else attempts_in(curves.table)
    lines = [_line(a, name) for a in attempts for name in a.values]
    layout = chart_layout(_HEIGHT)
    layout["xaxis"] |= {"title": {"text": "optimiser steps"}}
    # the crosses have an axis of their own, so that they stay at the edge of any range
    layout["yaxis2"] = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    layout |= {"colorway": list(_COLOURS), "bad": "var(--bad)"}
    return {"lines": lines, "layout": layout}


def _line(attempt: AttemptRows, name: str) -> dict[str, Any]:
    said = [(s, v) for s, v in zip(attempt.steps, attempt.values[name], strict=True)]
    fine = [(s, v) for s, v in said if v is not None and math.isfinite(v)]
    bad = [[s, str(v)] for s, v in said if v is not None and not math.isfinite(v)]
    kept = thinned([v for _, v in fine], MOST)
    return {
        "run": attempt.run_id,
        "attempt": attempt.number,
        "name": name,
        "x": [fine[i][0] for i in kept],
        "y": [float(f"{fine[i][1]:.{_DIGITS}g}") for i in kept],
        "bad": bad[:MOST],
    }


def thinned(values: Sequence[float], most: int) -> list[int]:
    """Return the indices of at most `most` values: the ends, and the extremes of equal pieces.

    So no peak is lost. By hand, most = 4: of 1, 5, 2, 0, 3, 4 the ends, 5 and 0.
    """
    if len(values) <= most:
        return list(range(len(values)))
    kept = {0, len(values) - 1}
    pieces = max(1, (most - 2) // 2)
    inner = range(1, len(values) - 1)
    for k in range(pieces):
        piece = inner[k * len(inner) // pieces : (k + 1) * len(inner) // pieces]
        kept |= {min(piece, key=values.__getitem__), max(piece, key=values.__getitem__)}
    return sorted(kept)


def _options(values: Sequence[str]) -> str:
    return "".join(f'<option value="{escape(v)}">{escape(v)}</option>' for v in values)


def _not_finite_html(attempts: Sequence[AttemptRows]) -> str:
    told = [
        f"{a.run_id}, attempt {a.number}: {fault}" for a in attempts for fault in a.not_finite()
    ]
    more = len(told) - _LISTED
    if more > 0:
        told = [*told[:_LISTED], f"and {more} more: paretoflow curves DIR --format csv has them"]
    return _list_html("Not finite", told)


def _absent_html(curves: CurvesView | None) -> str:
    if curves is None:
        return ""
    absent = [f"{run_id}: {why}" for run_id, why in curves.absent.items()]
    return _list_html("Left out, damaged", curves.damaged) + _list_html("Without a curve", absent)


def _list_html(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return f"<p>{title}:</p><ul class=notes>{''.join(f'<li>{escape(t)}</li>' for t in lines)}</ul>"
