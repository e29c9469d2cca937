"""`paretoflow compare`: several sweeps that share an evaluation, in one table and one picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from paretoflow.cli.console import echo
from paretoflow.cli.options import Format, FormatOption, plain_console
from paretoflow.cli.pick import named_numbers
from paretoflow.core.errors import UserError
from paretoflow.storage.output import write_file

if TYPE_CHECKING:
    from paretoflow.front.compared import Comparison, Standing
    from paretoflow.report.comparison_table import Entrant

_SUFFIXES = (".png", ".svg", ".html")

Sweeps = Annotated[
    list[str],
    typer.Argument(
        metavar="DIR|URI[@N][,…]…",
        help="Two sweeps or more, each as it is now or at a front snapshot; sweeps of one arm that "
        "differ by their seed, joined by commas.",
        show_default=False,
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option("--baseline", metavar="DIR|URI", help="Which one the others are compared with."),
]
Ref = Annotated[
    list[str] | None,
    typer.Option(
        "--ref",
        metavar="NAME=VALUE,…",
        help="Reference values for all, where the sweeps have different ones.",
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Draw the fronts, as .png, .svg or .html."),
]


def compare(
    sweeps: Sweeps,
    baseline: Baseline = None,
    ref: Ref = None,
    plot: Plot = None,
    format: FormatOption = Format.TEXT,
) -> None:
    """Compare sweeps that share an evaluation: fronts, certainty of the differences, cost.

    They need the same objectives, reference point and prompts. Every interval draws the same
    prompts for all, so differences are paired; the first is the baseline unless another is named.
    Sweeps that differ by their seed alone are joined by commas, `a1,a2,a3 b1,b2,b3`: then the
    intervals include the randomness of training. Each seed may have prompts of its own.
    """
    from paretoflow.engine.read.comparison import arm_of, read_whole_side
    from paretoflow.front.comparison import comparison
    from paretoflow.report.comparison_table import entrants_of

    if plot is not None and plot.suffix not in _SUFFIXES:
        what = f"draws {', '.join(_SUFFIXES)}, got {plot.name!r}"
        raise UserError(what, "--plot", "name it fronts.html, for instance", code="usage-option")
    first = _index(sweeps, baseline)
    values = named_numbers(ref, "--ref")
    read = [[read_whole_side(text) for text in arm_of(sweep)] for sweep in sweeps]
    found = comparison([[side for _, side in arm] for arm in read], first, values)
    entrants = entrants_of([[view for view, _ in arm] for arm in read])
    if format is Format.JSON:
        echo(json.dumps(facts_of(found, entrants), indent=1, allow_nan=False))
    else:
        _show(found, entrants)
    if plot is not None:
        _draw(found, entrants, plot)
        echo(f"wrote {plot}", err=format is Format.JSON)


def facts_of(found: Comparison, entrants: Sequence[Entrant]) -> dict[str, Any]:
    """Return a comparison as plain JSON values."""
    return {
        "objectives": [
            {"name": o.name, "direction": o.direction.value, "ref": o.ref}
            for o in found.problem.objectives
        ],
        "baseline": found.standings[found.baseline].label,
        "prompts": found.prompts,
        "joint_front": {
            "points": found.joint_points,
            "hypervolume": found.joint_hypervolume,
        },
        "sweeps": [
            {
                **_named(standing),
                "method": entrant.method,
                "proposer": entrant.proposer,
                "runs": {"finished": entrant.finished, "failed": entrant.failed},
                "points": len(standing.points),
                "hypervolume": standing.hypervolume,
                "hypervolume_corrected": standing.corrected,
                "hypervolume_ci": list(standing.interval),
                "change": standing.change,
                "change_corrected": standing.corrected_change,
                "change_ci": list(standing.change_interval),
                "joint_front_share": standing.joint,
                "cost": asdict(entrant.cost),
            }
            for standing, entrant in zip(found.standings, entrants, strict=True)
        ],
        "notes": list(found.notes),
    }


def _named(standing: Standing) -> dict[str, Any]:
    """Return the name of the sweep, or those of an arm's seeds."""
    from paretoflow.core.views import front_number

    each = [
        {"name": s.label, "sweep": s.sweep, **front_number(s.snapshot, s.after)}
        for s in standing.sides
    ]
    return each[0] if len(each) == 1 else {"name": standing.label, "seeds": each}


def _index(sweeps: Sequence[str], baseline: str | None) -> int:
    if len(sweeps) < 2:
        hint = "name another one; `paretoflow front` shows a single sweep"
        raise UserError("got one sweep; allowed: two or more", hint=hint, code="usage-option")
    if baseline is None:
        return 0
    if baseline not in sweeps:
        what = f"got {baseline!r}; allowed: one of those that are compared: {', '.join(sweeps)}"
        raise UserError(what, "--baseline", "write it as it stands among them", code="usage-option")
    return list(sweeps).index(baseline)


def _show(found: Comparison, entrants: Sequence[Entrant]) -> None:
    from paretoflow.report.comparison_picture import footnotes
    from paretoflow.report.comparison_table import cells, headings
    from paretoflow.report.sketch import overlay

    console = plain_console()
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    name, *numbers = headings(found, entrants)
    table.add_column(name, overflow="fold")
    for title in numbers:
        table.add_column(title, no_wrap=True)
    for row in cells(found, entrants):
        table.add_row(*map(escape, row), end_section=True)
    console.print(table)
    if found.problem.m == 2:
        fronts = {e.letter: s.points for e, s in zip(entrants, found.standings, strict=True)}
        console.print(overlay(fronts, found.problem), markup=False)
    for text in footnotes(found):
        console.print(text, markup=False)


def _draw(found: Comparison, entrants: Sequence[Entrant], out: Path) -> None:
    from paretoflow.report.comparison_picture import comparison_page, comparison_plot

    if out.suffix == ".html":
        content = comparison_page(found, entrants).encode()
    else:
        content = comparison_plot(found, entrants, "svg" if out.suffix == ".svg" else "png")
    write_file(out, content)
