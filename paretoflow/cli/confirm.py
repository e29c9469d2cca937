"""`paretoflow confirm`: score a front again, on prompts that the sweep never saw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from paretoflow.cli.console import echo
from paretoflow.cli.front import ARROWS, Snapshot
from paretoflow.cli.options import AcceptChange, Format, FormatOption, plain_console
from paretoflow.cli.pick import AtLeast, AtMost, Prefer, named_numbers
from paretoflow.cli.resume import at_home
from paretoflow.core.errors import UserError

if TYPE_CHECKING:
    from paretoflow.core.confirmed import ConfirmedFront, ConfirmedPoint
    from paretoflow.core.front_point import FrontPoint
    from paretoflow.core.views import FrontView
    from paretoflow.engine.session.confirm import ConfirmProgress

Place = Annotated[
    str,
    typer.Argument(
        metavar="DIR|URI|OUT",
        help="Where the sweep lives, <storage>/<name>, or the folder of an export with adapters.",
        show_default=False,
    ),
]

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

MaxCost = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        min=0,
        metavar="MONEY",
        help="Begin no further point once judges have cost this much; the sweep's stop.cost by "
        "default.",
    ),
]

Given = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Of an export: what it leaves out, for instance objectives.0.path=./judge; may be "
        "given again.",
    ),
]


def confirm(
    place: Place,
    data: Data = None,
    n: Count = None,
    prefer: Prefer = None,
    at_least: AtLeast = None,
    at_most: AtMost = None,
    format: FormatOption = Format.TEXT,
    snapshot: Snapshot = None,
    accept_change: AcceptChange = False,
    given: Given = None,
    max_cost: MaxCost = None,
) -> None:
    """Score a front again, before it is shipped, on prompts and seeds that did not select it.

    The whole front, or with --prefer, --at-least or --at-most the point that `pick` would take. The
    base is loaded once and scored too; no Ray is started. Results are stored in the folder after
    each point: after Ctrl-C the same command continues. Reports, exports and `pick --confirmed` use
    them from then on.

    An export is confirmed by its own adapters, base and scorers, and gets the result into its card
    and manifest; `verify` checks it. A base in a folder is taken from the variable BASE.
    """
    from paretoflow.exporters.writing import is_export

    wishes = [
        named_numbers(numbers, option)
        for numbers, option in (
            (prefer, "--prefer"),
            (at_least, "--at-least"),
            (at_most, "--at-most"),
        )
    ]
    file = None if data is None else data.absolute()
    asked = (n, accept_change, max_cost)
    if "://" not in place and is_export(Path(place)):
        if snapshot is not None:
            raise UserError(
                "an export holds one front", "--snapshot", "leave it away", code="usage-option"
            )
        found, front = _of_export(Path(place), file, given or (), asked, wishes)
    elif given:
        raise UserError(
            "a sweep has all that scores it",
            "--set",
            "it is for exports alone",
            code="usage-option",
        )
    else:
        found, front = _of_sweep(place, snapshot, file, asked, wishes)
    if format is Format.JSON:
        echo(json.dumps(found.to_dict(), indent=1, allow_nan=False))
    else:
        _show(found, front)


Wishes = list[dict[str, float]]
Asked = tuple[int | None, bool, float | None]
"""Number of prompts, whether changes are accepted, and the most that judges may cost."""


def _of_sweep(
    place: str, snapshot: int | None, file: Path | None, asked: Asked, wishes: Wishes
) -> tuple[ConfirmedFront, FrontView]:
    from paretoflow.core.views import SweepView
    from paretoflow.engine.read.sweep import read_sweep
    from paretoflow.engine.session.confirm import Confirming, Subject
    from paretoflow.engine.session.resume import load_sweep_spec
    from paretoflow.front.confirmed import confirmed_front
    from paretoflow.storage import as_folder

    root = as_folder(place)
    view: SweepView = read_sweep(root, snapshot)
    points = _points(view.front, wishes, root.uri)
    with at_home(root, None):
        subject = Subject.of_sweep(root, view, load_sweep_spec(root))
        known = Confirming(subject, file, *asked).run(points, _tell)
    return confirmed_front(view.front, known), view.front


def _of_export(
    out: Path, file: Path | None, given: Sequence[str], asked: Asked, wishes: Wishes
) -> tuple[ConfirmedFront, FrontView]:
    from paretoflow.engine.read.confirmations import confirmation_of
    from paretoflow.engine.session.confirm import Confirming
    from paretoflow.engine.session.exported import exported_subject, write_exported
    from paretoflow.front.confirmed import confirmed_front

    subject = exported_subject(out, own_data=file is not None, overrides=given)
    front = subject.front
    points = _points(front, wishes, str(out))

    def watch(progress: ConfirmProgress) -> None:
        # however the command ends, the export is valid: its files are listed, with digests
        kept = confirmation_of(subject.root, front)
        write_exported(out, None if kept is None else confirmed_front(front, kept))
        _tell(progress)

    known = Confirming(subject, file, *asked).run(points, watch)
    return confirmed_front(front, known), front


def _points(front: FrontView, wishes: Wishes, where: str) -> list[FrontPoint]:
    """Return the points to score; print the others.

    Raises:
        UserError: If no point can be scored.
    """
    from paretoflow.engine.session.confirm import confirmable

    points, left_out = confirmable(_asked(front, wishes))
    for told in left_out:
        echo(told, err=True)
    if not points:
        hint = (
            "see above; an adapter that serves many preferences is asked with the condition that "
        )
        hint += "that the front tells: score its answers on prompts of your own"
        raise UserError(
            "no point of this front can be scored again", where, hint, code="usage-no-point"
        )
    return points


def _asked(front: FrontView, wishes: Wishes) -> list[FrontPoint]:
    from paretoflow.front.selection import pick

    return [pick(front, *wishes)] if any(wishes) else list(front.points)


def _tell(progress: ConfirmProgress) -> None:
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
    table.add_column("checkpoint", overflow="fold")
    for number, point in enumerate(found.points, start=1):
        table.add_row(str(number), *_cells(point), _named(point), end_section=True)
    console.print(table)
    for text in confirmed_text(found, front):
        console.print(text, markup=False, soft_wrap=True)
    if found.facts.judged:
        console.print(f"judges cost {found.facts.judged:.4g}")


def _named(point: ConfirmedPoint) -> str:
    beaten = f"\nbeaten by {escape(point.beaten_by)}" if point.beaten_by else ""
    return f"{escape(point.reported.snapshot_id)}{beaten}"


def _cells(point: ConfirmedPoint) -> list[str]:
    from paretoflow.report.labels import confirmed_cells

    return [
        f"{was}\n{now}" + (f"\n{over}" if over else "") for was, now, over in confirmed_cells(point)
    ]
