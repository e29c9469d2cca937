"""`paretoflow confirm`: score a front once more, on prompts that the sweep never saw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from paretoflow.cli.console import echo
from paretoflow.cli.front import ARROWS, Snapshot
from paretoflow.cli.options import AcceptChange, Format, FormatOption, SweepRoot, plain_console
from paretoflow.cli.pick import AtLeast, AtMost, Prefer, named_numbers
from paretoflow.cli.resume import at_home
from paretoflow.core.errors import UserError

if TYPE_CHECKING:
    from paretoflow.core.confirmed import ConfirmedFront, ConfirmedPoint
    from paretoflow.core.views import FrontPoint, FrontView
    from paretoflow.engine.confirm import Progress

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Fresh prompts, .jsonl or .parquet, with the columns of the sweep's own data; by "
        "default the rows of the sweep's data that are in none of its sets.",
    ),
]
Count = Annotated[
    int | None,
    typer.Option(
        "--n",
        min=2,
        metavar="N",
        help="How many prompts; by default four for each eval prompt, or as many as there are.",
    ),
]


def confirm(
    sweep: SweepRoot,
    data: Data = None,
    n: Count = None,
    prefer: Prefer = None,
    at_least: AtLeast = None,
    at_most: AtMost = None,
    format: FormatOption = Format.TEXT,
    snapshot: Snapshot = None,
    accept_change: AcceptChange = False,
) -> None:
    """Score a front once more, on prompts and seeds that chose nothing, before it is shipped.

    The whole front, or with --prefer, --at-least or --at-most the point that `pick` would take. The
    base is loaded once and scored too; no Ray is started. What is done is kept in the sweep's
    folder after each point: the same command goes on after Ctrl-C. Reports, exports and
    `pick --confirmed` have it from then on.
    """
    from paretoflow.core.views import SweepView
    from paretoflow.engine.confirm import Confirming, confirmable
    from paretoflow.engine.resume import load_sweep_spec
    from paretoflow.engine.sweep import read_sweep
    from paretoflow.front.confirmed import confirmed_front
    from paretoflow.storage import as_folder

    wishes = [
        named_numbers(given, option)
        for given, option in (
            (prefer, "--prefer"),
            (at_least, "--at-least"),
            (at_most, "--at-most"),
        )
    ]
    root, file = as_folder(sweep), None if data is None else data.absolute()
    view: SweepView = read_sweep(root, snapshot)
    points, left_out = confirmable(_asked(view.front, wishes))
    for told in left_out:
        echo(told, err=True)
    if not points:
        raise UserError("no point of this front can be scored again", root.uri, "see above")
    with at_home(root, None):
        spec = load_sweep_spec(root)
        known = Confirming(root, view, spec, file, n, accept_change).run(points, _tell)
    found = confirmed_front(view.front, known)
    if format is Format.JSON:
        echo(json.dumps(found.to_dict(), indent=1, allow_nan=False))
    else:
        _show(found, view.front)


def _asked(front: FrontView, wishes: list[dict[str, float]]) -> list[FrontPoint]:
    from paretoflow.front.selection import pick

    return [pick(front, *wishes)] if any(wishes) else list(front.points)


def _tell(progress: Progress) -> None:
    if progress.snapshot_id:
        echo(f"{progress.done} of {progress.of} scored; now {progress.snapshot_id}", err=True)


def _show(found: ConfirmedFront, front: FrontView) -> None:
    from paretoflow.report.labels import confirmed_text

    console = plain_console()
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), title_justify="left")
    table.title = escape(f"{front.sweep}, {front.name}, on {found.facts.n} fresh prompts")
    table.add_column("#", justify="right")
    for objective in found.problem.objectives:
        table.add_column(
            f"{escape(objective.name)} {ARROWS[objective.direction]}\nreported\nconfirmed\n"
            "over base, 95 %",
            justify="right",
        )
    table.add_column("snapshot", overflow="fold")
    for number, point in enumerate(found.points, start=1):
        table.add_row(str(number), *_cells(point), _named(point), end_section=True)
    console.print(table)
    for text in confirmed_text(found, front):
        console.print(text, markup=False, soft_wrap=True)


def _named(point: ConfirmedPoint) -> str:
    beaten = f"\nbeaten by {escape(point.beaten_by)}" if point.beaten_by else ""
    return f"{escape(point.reported.snapshot_id)}{beaten}"


def _cells(point: ConfirmedPoint) -> list[str]:
    from paretoflow.report.labels import confirmed_cells

    return [
        f"{was}\n{now}" + (f"\n{over}" if over else "") for was, now, over in confirmed_cells(point)
    ]
