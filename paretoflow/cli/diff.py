"""`paretoflow diff`: the differences of two fronts."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from paretoflow.cli.console import echo
from paretoflow.cli.options import Format, FormatOption, plain_console
from paretoflow.core.errors import UserError
from paretoflow.storage.output import write_file

if TYPE_CHECKING:
    from paretoflow.core.evaluation import Evaluation
    from paretoflow.core.values import Problem
    from paretoflow.front.compared import Difference, Measured

_SHOWN = 15
_SIDE = "DIR|URI[@N]|EXPORT"
_HELP = "A sweep, DIR|URI; at a front snapshot, DIR|URI@N; or the folder of an export."

First = Annotated[str, typer.Argument(metavar=_SIDE, help=_HELP, show_default=False)]
Second = Annotated[
    str, typer.Argument(metavar=_SIDE, help="What to compare it with.", show_default=False)
]
Picture = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--out",
        metavar="FILE",
        help="Draw both fronts, as .png, .svg or .html.",
    ),
]


def diff(a: First, b: Second, format: FormatOption = Format.TEXT, out: Picture = None) -> None:
    """Compare two fronts: hypervolumes, points gained and lost, and certainty of the difference.

    Both must have the same objectives, and are measured from the first one's reference point. If
    both were scored on the same prompts, the interval of the difference is paired: it draws the
    same prompts for both.
    """
    from paretoflow.engine.read.comparison import read_side
    from paretoflow.front.difference import difference

    if out is not None and out.suffix not in (".png", ".svg", ".html"):
        raise UserError(
            f"draws .png, .svg or .html, got {out.name!r}",
            "-o",
            "name it front.html, for instance",
            code="usage-option",
        )
    found = difference(read_side(a), read_side(b))
    if format is Format.JSON:
        echo(json.dumps(facts_of(found), indent=1, allow_nan=False))
    else:
        _show(found)
    if out is not None:
        from paretoflow.report.diff_picture import diff_page, diff_plot

        if out.suffix == ".html":
            content = diff_page(found).encode()
        else:
            content = diff_plot(found, "svg" if out.suffix == ".svg" else "png")
        write_file(out, content)
        echo(f"wrote {out}", err=format is Format.JSON)


def facts_of(found: Difference) -> dict[str, Any]:
    """Return a difference as plain JSON values."""
    problem = found.a.side.problem
    return {
        "a": _side_facts(found.a),
        "b": _side_facts(found.b),
        "objectives": [
            {"name": o.name, "direction": o.direction.value} for o in problem.objectives
        ],
        "ref_point": [o.ref for o in problem.objectives],
        "hypervolume_change": found.change,
        "hypervolume_change_corrected": found.corrected,
        "hypervolume_change_ci": found.interval and list(found.interval),
        "paired": found.paired,
        "kept": [p.snapshot_id for p in found.kept],
        "gained": [_point_facts(p, problem) for p in found.gained],
        "lost": [_point_facts(p, problem) for p in found.lost],
        "notes": list(found.notes),
    }


def _side_facts(measured: Measured) -> dict[str, Any]:
    from paretoflow.core.views import front_number

    return {
        "name": measured.side.label,
        "sweep": measured.side.sweep,
        **front_number(measured.side.snapshot, measured.side.after),
        "points": len(measured.side.points),
        "hypervolume": measured.hypervolume,
        "hypervolume_corrected": measured.corrected,
        "hypervolume_ci": measured.interval and list(measured.interval),
        "dominated_by_the_other": [p.snapshot_id for p in measured.beaten],
        "coverage_of_the_other": measured.covers,
    }


def _point_facts(point: Evaluation, problem: Problem) -> dict[str, Any]:
    return {
        "snapshot_id": point.snapshot_id,
        "scores": dict(zip(problem.names, point.scores, strict=True)),
        "stderr": {
            name: e if math.isfinite(e) else None
            for name, e in zip(problem.names, point.stderr, strict=True)
        },
    }


def _show(found: Difference) -> None:
    from paretoflow.report.labels import change_text, interval_text

    console = plain_console()
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0))
    table.add_column("")
    sides = (found.a, found.b)
    for letter, side in zip("AB", sides, strict=True):
        table.add_column(f"{letter}  {side.side.label}", overflow="fold")
    rows = {
        "front": [s.side.front_name for s in sides],
        "points": [str(len(s.side.points)) for s in sides],
        "hypervolume": [interval_text(s.hypervolume, s.corrected, s.interval) for s in sides],
        "beaten by the other": [f"{len(s.beaten)} of {len(s.side.points)}" for s in sides],
        "covers of the other": [f"{s.covers:.0%}" for s in sides],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    console.print(table)
    console.print(change_text(found), markup=False, soft_wrap=True)
    counts = (("kept", found.kept), ("gained", found.gained), ("lost", found.lost))
    console.print(
        "points from A to B: " + ", ".join(f"{len(p)} {name}" for name, p in counts), markup=False
    )
    problem = found.a.side.problem
    for name, points in counts[1:]:
        if points:
            console.print(_points(name, points, problem))
    for note in found.notes:
        console.print(f"note: {note}", markup=False)


def _points(title: str, points: Sequence[Evaluation], problem: Problem) -> Table:
    from paretoflow.cli.front import ARROWS
    from paretoflow.report.labels import score_text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0))
    table.add_column(title)
    for objective in problem.objectives:
        table.add_column(f"{objective.name} {ARROWS[objective.direction]}", justify="right")
    for point in points[:_SHOWN]:
        pairs = zip(point.scores, point.stderr, strict=True)
        table.add_row(point.snapshot_id, *(score_text(s, e) for s, e in pairs))
    if len(points) > _SHOWN:
        table.add_row(f"… and {len(points) - _SHOWN} more, in --format json")
    return table
