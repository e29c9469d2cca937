"""`paretoflow curves`: what the runs of a sweep logged, step by step."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from paretoflow.cli.console import echo
from paretoflow.cli.options import SweepRoot, plain_console
from paretoflow.core.curves import KEYS, attempts_in, by_worth

if TYPE_CHECKING:
    import pyarrow as pa

    from paretoflow.core.views import CurvesView

_SHOWN = 7
"""Most columns of values in a table."""


class CurveFormat(StrEnum):
    """Output format of the verb."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def curves(
    sweep: SweepRoot,
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="One run, or the beginning of its id.")
    ] = "",
    format: Annotated[
        CurveFormat,
        typer.Option("--format", help="A table; or every logged number as JSON or CSV."),
    ] = CurveFormat.TABLE,
) -> None:
    """Print the training curves of a sweep; safe while it runs.

    Without RUN the table has a line for each attempt, with RUN a line for each of its steps. JSON
    and CSV have every number that the trainer logged, under its own names. A number that is not
    finite is shown as nan, inf or -inf (in JSON as text); a step that did not log one has null in
    JSON and nothing in CSV.
    """
    from paretoflow.engine.read.curves import curves_of, run_of
    from paretoflow.engine.read.sweep import open_sweep_folder

    opened = open_sweep_folder(sweep)
    found = curves_of(opened, run_of(opened, run) if run else "")
    for fault in found.damaged:
        echo(f"left out, damaged: {fault}", err=True)
    if format is CurveFormat.JSON:
        facts = {"sweep": opened.spec["name"], "absent": dict(found.absent), "rows": _rows(found)}
        echo(json.dumps(facts, indent=1, allow_nan=False))
    elif format is CurveFormat.CSV:
        echo(_csv_text(found.table), nl=False)
        for run_id, why in found.absent.items():
            echo(f"{run_id} has no curve: {why}", err=True)
    else:
        _print_tables(found, str(opened.spec["name"]), one=bool(run))


def _print_tables(found: CurvesView, name: str, *, one: bool) -> None:
    console = plain_console()
    if found.table.num_rows:
        _print_steps(found.table, console) if one else _print_attempts(found.table, name, console)
    for run_id, why in found.absent.items():
        console.print(f"{run_id} has no curve: {why}", markup=False, soft_wrap=True)
    if not found.table.num_rows and not found.absent:
        console.print(f"{name} has no run yet", markup=False)


def _print_attempts(table: pa.Table, name: str, console: Console) -> None:
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    shown.title = f"{name}: training curves"
    for heading in ("run", "attempt", "steps", "loss", "reward", "KL"):
        shown.add_column(heading, justify="left" if heading == "run" else "right", no_wrap=True)
    shown.add_column("largest gradient norm", justify="right")
    shown.add_column("not finite", justify="right")
    for attempt in attempts_in(table):
        shown.add_row(
            attempt.run_id,
            str(attempt.number),
            f"{attempt.steps[0]} to {attempt.steps[-1]}",
            *(attempt.ends(name) for name in ("loss", "reward", "kl")),
            attempt.largest("grad_norm"),
            _brief(attempt.not_finite()),
        )
    console.print(shown)


def _brief(faults: Sequence[str]) -> str:
    more = len(faults) - 2
    return ", ".join([*faults[:2], *([f"and {more} more"] if more > 0 else [])])


def _print_steps(table: pa.Table, console: Console) -> None:
    names = by_worth(table.column_names[len(KEYS) :])
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("attempt", "step", *names[:_SHOWN]):
        shown.add_column(heading, justify="right", overflow="fold")
    for row in table.to_pylist():
        cells = [_text(row[name]) for name in names[:_SHOWN]]
        shown.add_row(str(row["attempt"]), str(row["step"]), *cells)
    console.print(shown)
    if more := names[_SHOWN:]:
        text = f"not shown: {', '.join(more)}; --format csv has them"
        console.print(text, markup=False, soft_wrap=True)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _rows(found: CurvesView) -> list[dict[str, Any]]:
    return [{name: _plain(value) for name, value in row.items()} for row in found.table.to_pylist()]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _csv_text(table: pa.Table) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.column_names)
    rows: Sequence[dict[str, Any]] = table.to_pylist()
    writer.writerows(["" if v is None else v for v in row.values()] for row in rows)
    return stream.getvalue()
