"""`paretoflow front`: the Pareto front of a sweep."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from paretoflow.cli.console import echo, new_console
from paretoflow.cli.options import Format, FormatOption, SweepRoot
from paretoflow.core.conditions import condition_brief
from paretoflow.core.settings import settings_text
from paretoflow.core.values import Direction, LaunchKind

if TYPE_CHECKING:
    from paretoflow.api import Front
    from paretoflow.core.views import FrontView

Snapshot = Annotated[
    int | None,
    typer.Option(
        "--snapshot",
        metavar="N",
        help="An earlier front, counted from 0, or from the end (-1 is the last recorded one); "
        "everything known by now by default. `paretoflow snapshots` lists them.",
    ),
]


ARROWS = {Direction.MAXIMIZE: "↑", Direction.MINIMIZE: "↓"}


def front(sweep: SweepRoot, format: FormatOption = Format.TEXT, snapshot: Snapshot = None) -> None:
    """Print the Pareto front of a sweep with its hypervolume; safe while it runs."""
    from paretoflow.api import open_sweep

    if format is Format.JSON:
        found = open_sweep(sweep).front(snapshot)
        echo(json.dumps(found.to_dict(), indent=1, allow_nan=False))
    else:
        show_front(sweep, new_console(), snapshot)


def show_front(root: str, console: Console, snapshot: int | None = None) -> None:
    """Print the front of a sweep, and how to pick from it."""
    from paretoflow.api import open_sweep

    found = open_sweep(root).front(snapshot)
    print_front(found, console)
    names = found.view.problem.names
    even = ",".join(f"{name}={math.floor(100 / len(names)) / 100:g}" for name in names)
    where = shlex.quote(root)
    console.print(
        f"take one: paretoflow pick {where} --prefer {even}", markup=False, soft_wrap=True
    )


def print_front(found: Front, console: Console) -> None:
    """Print a front as a table, with a sketch of two objectives and its hypervolume."""
    from paretoflow.report.labels import worth_text
    from paretoflow.report.sketch import characters

    view, problem = found.view, found.view.problem
    console.print(_table(found))
    if problem.m == 2 and len(found) > 1:
        console.print(characters(view), markup=False)
    ref = ", ".join(f"{o.name} {o.ref:.4g}" for o in problem.objectives)
    paused = f", {view.paused} paused" if view.paused else ""
    console.print(
        f"hypervolume {worth_text(view)} against {ref}; "
        f"{view.finished} runs finished, {view.failed} failed, {view.pending} pending{paused}",
        markup=False,
    )
    found_out = (_uncounted(view), _doubtful(view))
    for told in (*(note for note in found_out if note), *view.notes):
        console.print(told, markup=False, soft_wrap=True)


def _uncounted(view: FrontView) -> str:
    """Return the points that add no hypervolume, and why; empty if all or none do."""
    from paretoflow.front.selection import that_count

    outside = [n for n, counts in enumerate(that_count(view), start=1) if not counts]
    if not outside or len(outside) == len(view.points):
        return ""
    which = f"point {outside[0]} does" if len(outside) == 1 else f"{len(outside)} points do"
    shown = "" if len(outside) == 1 else f" ({ranges_text(outside)})"
    return f"{which} not count{shown}: no better than the reference point in one objective"


def _doubtful(view: FrontView) -> str:
    """Return the points that another may truly dominate; empty if there are none."""
    numbers = [n for n, p in enumerate(view.points, start=1) if p.doubtful]
    if not numbers:
        return ""
    which = f"point {numbers[0]} is" if len(numbers) == 1 else f"{len(numbers)} points are"
    shown = "" if len(numbers) == 1 else f" ({ranges_text(numbers)})"
    return (
        f"{which} doubtful{shown}, marked ?: another point may truly be better in every objective; "
        "`paretoflow confirm` scores them on fresh prompts"
    )


def ranges_text(numbers: Sequence[int]) -> str:
    """Return ascending numbers in brief: 1, 3, 4 and 5 are `1, 3 to 5`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{r[0]} to {r[-1]}" if len(r) > 1 else f"{r[0]}" for r in runs)


def _table(found: Front) -> Table:
    from paretoflow.report.labels import score_text

    view = found.view
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    table.title = f"{view.sweep}, {view.name}: {len(found)} points"
    table.add_column("#", justify="right")
    for objective in view.problem.objectives:
        heading = f"{objective.name} {ARROWS[objective.direction]}"
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("weights", no_wrap=True)
    table.add_column("checkpoint", overflow="fold")
    searched = any(p.settings for p in found)
    if searched:
        table.add_column("with", overflow="fold")
    conditioned = any(p.condition is not None for p in found)
    if conditioned:
        table.add_column("asked with", overflow="fold")
    for number, point in enumerate(found, start=1):
        scores = [score_text(s, e) for s, e in zip(point.scores, point.stderr, strict=True)]
        towards = " ".join(f"{w:.2f}" for w in point.weights) if point.weights else "untrained"
        towards += " mix" if point.kind == LaunchKind.MERGE else ""
        asked = [escape(settings_text(point.settings))] if searched else []
        asked += [escape(condition_brief(point.condition))] if conditioned else []
        mark = f"{number} ?" if point.doubtful else str(number)
        table.add_row(mark, *scores, towards, point.snapshot_id, *asked)
    return table
