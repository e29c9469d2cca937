"""Several fronts in one picture, and as a self-contained page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from paretoflow.core.shown import html_text as escape
from paretoflow.front.compared import Comparison, Standing
from paretoflow.report.comparison_table import Entrant, cells, headings
from paretoflow.report.labels import place_name
from paretoflow.report.still import (
    ACCENT,
    BASE,
    Format,
    Pair,
    Still,
    mark,
    stairs,
    still_page,
    strands,
)

_COLOURS = (ACCENT, BASE, "#2b8a5c", "#8b4fae", "#b08a00", "#4a4a46", "#c2407a", "#1f9bb0")
_MARKS = ("o", "s", "D", "^", "v", "P", "X")
_ONE_COLUMN = 4
"""Number of sweeps up to which the legend has one column."""


def comparison_plot(found: Comparison, entrants: Sequence[Entrant], fmt: Format = "png") -> bytes:
    """Return a picture of all fronts over each other, as `png` (150 dots per inch) or `svg`.

    The same comparison gives the same bytes on the same versions of matplotlib and its fonts.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    count = len(entrants)
    columns = 1 if count <= _ONE_COLUMN else 2
    picture = Still(
        found.problem,
        lambda axes, pair: _plane(axes, found, entrants, pair),
        lambda axes: _parallel(axes, found, entrants),
        f"{_counted(found)} on the same {found.prompts} prompts; bars: one standard error",
        salt="compare",
        size=(7.2, 4.6 + 0.18 * -(-count // columns)),
        legend_columns=columns,
    )
    return picture.drawn(fmt)


def comparison_page(found: Comparison, entrants: Sequence[Entrant]) -> str:
    """Return the picture and the table as one HTML page without scripts.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    svg = comparison_plot(found, entrants, "svg").decode()
    found = _without_places(found)
    head = "".join(f"<th>{_lines(text)}</th>" for text in headings(found, entrants))
    rows = "".join(
        f"<tr>{''.join(f'<td>{_lines(text)}</td>' for text in row)}</tr>"
        for row in cells(found, entrants)
    )
    notes = "".join(f"<p>{escape(text)}</p>" for text in footnotes(found))
    return still_page(
        _counted(found),
        f"<h1>{_counted(found)}</h1><figure>{svg[svg.index('<svg') :]}</figure>"
        f"<table><tr>{head}</tr>{rows}</table>{notes}",
    )


def _without_places(found: Comparison) -> Comparison:
    standings = [
        replace(s, sides=tuple(replace(x, label=place_name(x.label)) for x in s.sides))
        for s in found.standings
    ]
    return replace(found, standings=tuple(standings))


def footnotes(found: Comparison) -> list[str]:
    """Return the notes below the table, each of one or two sentences."""
    ref = ", ".join(f"{o.name} {o.ref:.4g}" for o in found.problem.objectives)
    return [
        f"joint front: {found.joint_points} points, hypervolume {found.joint_hypervolume:.4g}; "
        f"all measured against {ref}",
        f"{_how(found)}; what points owe to being selected is taken off",
        *found.notes,
    ]


def _counted(found: Comparison) -> str:
    count = len(found.standings)
    return f"{count} sweeps" if found.seeds == 1 else f"{count} arms of up to {found.seeds} seeds"


def _how(found: Comparison) -> str:
    prompts = f"{found.prompts} prompts"
    if found.seeds == 1:
        return f"intervals draw the same {prompts} for all"
    if found.shared:
        return f"intervals over seeds, and over the {prompts} that all share"
    return f"intervals over seeds, each with {prompts} of its own that all arms share"


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _groups(
    found: Comparison, entrants: Sequence[Entrant]
) -> Iterator[tuple[Standing, str, dict[str, Any]]]:
    for k, (standing, entrant) in enumerate(zip(found.standings, entrants, strict=True)):
        # colours and marks repeat after different counts: fifty-six sweeps look different
        style: dict[str, Any] = {
            "color": _COLOURS[k % len(_COLOURS)],
            "fmt": _MARKS[k % len(_MARKS)],
        }
        # smaller for each sweep, so that a point of several sweeps shows as rings
        style |= {"markersize": 10 - 6 * k / max(1, len(entrants) - 1)}
        name = ", ".join(place_name(side.label) for side in standing.sides)
        label = f"{entrant.letter}  {name}, {entrant.method}"
        yield standing, f"{label}: {standing.hypervolume:.4g}", style


def _plane(axes: Any, found: Comparison, entrants: Sequence[Entrant], pair: Pair) -> None:
    for standing, label, style in _groups(found, entrants):
        for side in standing.sides if found.problem.m == 2 else ():
            edge = stairs(side.points, found.problem)
            axes.plot(*edge, color=style["color"], alpha=0.45, linewidth=1)
        mark(axes, standing.points, pair, {**style, "label": label})


def _parallel(axes: Any, found: Comparison, entrants: Sequence[Entrant]) -> None:
    for standing, label, style in _groups(found, entrants):
        strands(axes, standing.points, found.problem, style, label)
    axes.set_ylabel(f"share of the frozen range of {entrants[0].letter}")
