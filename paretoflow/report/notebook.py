"""A front in a notebook: a sketch and a table."""

from __future__ import annotations

from paretoflow.core.shown import html_text as escape
from paretoflow.core.views import FrontView
from paretoflow.report.labels import score_text, weights_text
from paretoflow.report.sketch import svg


def front_html(view: FrontView) -> str:
    """Return a front as HTML, with every text escaped."""
    problem = view.problem
    head = "".join(
        f"<th>{escape(t)}</th>" for t in ("#", *problem.names, "trained towards", "checkpoint")
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(cell)}</td>"
            for cell in (
                str(number),
                *(score_text(s, e) for s, e in zip(p.scores, p.stderr, strict=True)),
                weights_text(p.weights, problem),
                p.snapshot_id,
            )
        )
        + "</tr>"
        for number, p in enumerate(view.points, start=1)
    )
    caption = f"{escape(view.sweep)}: hypervolume {view.hypervolume:.4g}"
    return f"<div><b>{caption}</b><br>{svg(view)}<table><tr>{head}</tr>{rows}</table></div>"
