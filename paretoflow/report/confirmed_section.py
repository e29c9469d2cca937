"""The report's section on a front that was scored again on fresh prompts."""

from __future__ import annotations

from paretoflow.core.confirmed import ConfirmedPoint
from paretoflow.core.shown import html_text as escape
from paretoflow.core.views import SweepView
from paretoflow.report.labels import confirmed_cells, confirmed_text
from paretoflow.report.sections import table_html


def confirmed_html(view: SweepView) -> str:
    """Return reported against confirmed scores; without any, how to get them."""
    if view.confirmation is None:
        return (
            "<p>No point was confirmed on prompts that the sweep never saw: "
            "<code>paretoflow confirm</code> does it.</p>"
        )
    found = view.confirmation
    notes = "".join(f"<li>{escape(text)}</li>" for text in confirmed_text(found, view.front))
    head = ["checkpoint", *found.problem.names, "note"]
    return f'<ul class="notes">{notes}</ul>' + table_html(head, [_row(p) for p in found.points])


def _row(point: ConfirmedPoint) -> list[str]:
    cells = []
    for was, now, over in confirmed_cells(point):
        more = f"<small>over the base {over} (95 %)</small>" if over else ""
        cells.append(f"<small>reported {escape(was)}</small><b>{escape(now)}</b>{more}")
    beaten = f"beaten by <code>{escape(point.beaten_by)}</code>" if point.beaten_by else ""
    return [f"<code>{escape(point.reported.snapshot_id)}</code>", *cells, beaten]
