"""Assembles the report: one self-contained HTML file with charts, style and script."""

from __future__ import annotations

import json
from importlib.resources import files
from string import Template
from typing import Any

from paretoflow.core.errors import MissingExtraError
from paretoflow.core.ids import digest_of
from paretoflow.core.shown import html_text as escape
from paretoflow.core.shown import shown
from paretoflow.core.views import CurvesView, SweepView
from paretoflow.report.confirmed_section import confirmed_html
from paretoflow.report.curves import curves_data, curves_html
from paretoflow.report.figures import Figure, front_figures, growth_figures
from paretoflow.report.samples import AnswerReader
from paretoflow.report.sections import (
    changes_html,
    data_html,
    failures_html,
    notes_html,
    points_html,
    runs_html,
    samples_html,
    spec_html,
    summary_text,
    tiles_html,
)


def render(
    view: SweepView, answers: AnswerReader | None = None, curves: CurvesView | None = None
) -> str:
    """Return a sweep as one self-contained HTML page.

    Its content security policy forbids every network request, and allows only its own scripts:
    they have a nonce that text inside the page cannot know.

    Args:
        view: The sweep.
        answers: Reader of the stored answers of evaluations; None shows none.
        curves: The training curves of its runs; None shows none.

    Raises:
        MissingExtraError: If plotly is not installed.
    """
    front = front_figures(view)
    growth = growth_figures(view)
    parts = {
        "title": escape(view.front.sweep),
        "summary": summary_text(view),
        "data": data_html(view),
        "tiles": tiles_html(view),
        "notes": notes_html(view.front),
        "changes": changes_html(view),
        "front_charts": _boxes(front),
        "points": points_html(view.front),
        "confirmed": confirmed_html(view),
        "growth_charts": _boxes(growth),
        "samples": samples_html(view, answers),
        "runs": runs_html(view),
        "failures": failures_html(view.runs, view.spec),
        "spec": spec_html(view),
        "curves": curves_html(curves),
        "curves_data": json_for_html(curves_data(curves)),
        "figures": json_for_html(front | growth),
    }
    template = Template(
        files("paretoflow.report").joinpath("page.html").read_text(encoding="utf-8")
    )
    return template.substitute(parts, nonce=digest_of(parts)[:32], plotly=plotly_script())


def _boxes(figures: dict[str, Figure]) -> str:
    """Return an element for each figure, with the figure's height."""
    return "".join(
        f'<div class="chart" id="{name}" style="height: {figure["layout"]["height"]}px"></div>'
        for name, figure in figures.items()
    )


def json_for_html(value: Any) -> str:
    """Return JSON that is safe in a script element: it cannot end it or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return shown(text).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def plotly_script() -> str:
    """Return plotly's script, for inlining.

    Raises:
        MissingExtraError: If plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingExtraError.of("the report", "plotly", "report") from error
    return str(get_plotlyjs())
