"""`paretoflow snapshots`: list the recorded fronts of a sweep."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from paretoflow.cli.console import echo
from paretoflow.cli.options import Format, FormatOption, SweepRoot, plain_console

if TYPE_CHECKING:
    from paretoflow.engine.read.sweep import OpenedSweep
    from paretoflow.ledger.tables import FrontRecord


def snapshots(sweep: SweepRoot, format: FormatOption = Format.TEXT) -> None:
    """List the front snapshots of a sweep, oldest first; safe while it runs.

    Each was recorded when the front had changed. Any of them can be read again: `front`, `pick`,
    `report` and `export` take --snapshot N, and `diff` takes DIR@N. A negative N counts from the
    end. Without --snapshot these verbs show the latest results, which may be newer than the last
    snapshot.
    """
    from paretoflow.engine.read.sweep import open_sweep_folder

    opened = open_sweep_folder(sweep)
    if format is Format.JSON:
        echo(json.dumps(_facts(opened), indent=1))
        return
    console = plain_console()
    if not opened.fronts:
        console.print(f"{opened.spec['name']} has no front snapshot yet", markup=False)
        return
    console.print(_table(opened))
    ref = ", ".join(
        f"{name} {value:.4g}"
        for name, value in zip(_names(opened), opened.fronts[-1].ref_scores, strict=True)
    )
    console.print(f"hypervolume against {ref}; * the latest", markup=False)


def _table(opened: OpenedSweep) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    table.title = f"{opened.spec['name']}: {len(opened.fronts)} front snapshots"
    table.add_column("#", justify="right")
    table.add_column("recorded (UTC)", no_wrap=True)
    for heading in ("ledger event", "runs finished", "points", "hypervolume", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=heading != "ledger event")
    for record in opened.fronts:
        latest = "*" if record is opened.fronts[-1] else ""
        low, high = record.hypervolume_low, record.hypervolume_high
        table.add_row(
            f"{latest}{record.number}",
            _when(record),
            str(record.ledger_seq),
            str(record.runs_finished),
            str(len(record.snapshot_ids)),
            f"{record.hypervolume:.4g}",
            f"{low:.4g} to {high:.4g}" if high > low else "",
        )
    return table


def _facts(opened: OpenedSweep) -> dict[str, Any]:
    return {
        "sweep": opened.spec["name"],
        "objectives": _names(opened),
        "snapshots": [
            {
                "snapshot": record.number,
                "latest": record is opened.fronts[-1],
                "time": _when(record, "T") + "Z",
                "time_s": record.time_s,
                "ledger_seq": record.ledger_seq,
                "runs_finished": record.runs_finished,
                "points": len(record.snapshot_ids),
                "snapshot_ids": list(record.snapshot_ids),
                "hypervolume": record.hypervolume,
                "hypervolume_ci": [record.hypervolume_low, record.hypervolume_high],
                "ref_point": list(record.ref_scores),
                "code_version": record.code_version,
            }
            for record in opened.fronts
        ],
    }


def _names(opened: OpenedSweep) -> list[str]:
    return [str(objective["name"]) for objective in opened.spec["objectives"]]


def _when(record: FrontRecord, between: str = " ") -> str:
    when = datetime.fromtimestamp(record.time_s, UTC).replace(tzinfo=None)
    return when.isoformat(between, "seconds")
