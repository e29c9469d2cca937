"""The section of a card on a front that was scored again on fresh prompts."""

from __future__ import annotations

from paretoflow.core.confirmed import ConfirmedFront, ConfirmedPoint
from paretoflow.core.shown import html_text as escape

HEADING = "## Confirmed on fresh prompts"


def confirmed_lines(found: ConfirmedFront | None) -> list[str]:
    """Return the lines of a section with a table; none if no point was confirmed."""
    if found is None:
        return []
    low, high = found.interval
    left_out = f" {len(found.left_out)} points were not confirmed." if found.left_out else ""
    head = ["point", *(_cell(name) for name in found.problem.names), "note"]
    told = [f"{_cell(line)}." for line in found.facts.lines()]
    return [
        HEADING,
        "",
        f"Scored once more on {found.facts.n} prompts that chose nothing: reported hypervolume "
        f"{found.reported:.4g}, confirmed {found.hypervolume:.4g}, 95 % interval {low:.4g} to "
        f"{high:.4g}.{left_out}",
        "",
        "| " + " | ".join(head) + " |",
        "|" + " --- |" * len(head),
        *(_row(point) for point in found.points),
        "",
        "Each cell: reported, then confirmed; ! where the two surely differ.",
        *told,
        "",
    ]


def _row(point: ConfirmedPoint) -> str:
    pairs = zip(point.reported.scores, point.scores, point.stderr, point.moved, strict=True)
    cells = [f"{was:.4g} → {now:.4g} ± {e:.2g}{' !' * moved}" for was, now, e, moved in pairs]
    note = f"beaten by `{point.beaten_by}`" if point.beaten_by else ""
    return f"| `{point.reported.snapshot_id}` | " + " | ".join([*cells, note]) + " |"


def _cell(text: str) -> str:
    return escape(" ".join(text.split())).replace("|", "\\|")
