"""`paretoflow status`: where a sweep stands."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from paretoflow.cli.options import Format, FormatOption, plain_console


def status(
    sweep: Annotated[
        Path, typer.Argument(help="The sweep's folder, <storage>/<name>.", show_default=False)
    ],
    watch: Annotated[
        bool, typer.Option("--watch", help="Refresh until the sweep ends or Ctrl-C.")
    ] = False,
    format: FormatOption = Format.TEXT,
    every_s: Annotated[
        float, typer.Option(min=0.2, help="Seconds between two looks with --watch.")
    ] = 2.0,
) -> None:
    """Show a sweep's runs, front, failures and cost, read from its ledger; safe while it runs."""
    facts = read_status(sweep)
    if format is Format.JSON:
        typer.echo(json.dumps(facts, indent=1))
        return
    console = plain_console()
    if not watch:
        console.print(rendered(facts))
        return
    with Live(rendered(facts), console=console, auto_refresh=False) as live:
        while facts["state"] != "ended":
            time.sleep(every_s)
            facts = read_status(sweep)
            live.update(rendered(facts), refresh=True)


def read_status(root: Path) -> dict[str, Any]:
    """Return where a sweep stands as plain values."""
    from paretoflow.engine.sweep import front_interval, open_sweep_folder

    opened = open_sweep_folder(root)
    state, spec = opened.state, opened.spec
    boundaries = [r.boundary.value for r in state.runs.values() if r.boundary is not None]
    return {
        "sweep": spec["name"],
        "state": "ended" if state.closed else "running or interrupted",
        "why": state.closed,
        "runs": {
            "budget": spec["stop"]["runs"],
            "finished": state.finished,
            "failed": state.failed,
            "pending": len(state.open_runs()),
        },
        "in_progress": [
            {
                "run_id": r.run_id,
                "status": r.status.value,
                "attempt": r.attempt,
                "reason": r.proposal.reason,
            }
            for r in state.open_runs()
        ],
        "failures": {b: boundaries.count(b) for b in sorted(set(boundaries))},
        "evaluations": len(state.evaluations),
        "front": state.front_size,
        "hypervolume": state.hypervolume,
        "hypervolume_ci": list(front_interval(state)),
        "snapshots": len(opened.fronts),
        "elapsed_s": round(state.elapsed_s(), 3),
        "device_s": round(state.cost.device_s, 3),
        "cost": spec["engine"]["price"] * state.cost.device_s / 3600,
        "tokens": state.cost.tokens,
    }


def rendered(facts: dict[str, Any]) -> RenderableType:
    """Return a status as something rich can print."""
    from paretoflow.cli.progress import duration

    runs, (low, high) = facts["runs"], facts["hypervolume_ci"]
    grid = Table.grid(padding=(0, 2))
    grid.add_row("state", facts["state"] + (f": {facts['why']}" if facts["why"] else ""))
    counts = ", ".join(f"{runs[k]} {k}" for k in ("finished", "failed", "pending"))
    grid.add_row("runs", f"{counts}, of {runs['budget']}")
    volume = f"{facts['hypervolume']:.4g} (95 % {low:.4g} to {high:.4g})"
    grid.add_row("front", f"{facts['front']} points, hypervolume {volume}")
    grid.add_row("evaluations", f"{facts['evaluations']}, {facts['snapshots']} front snapshots")
    if facts["failures"]:
        grid.add_row(
            "failures", ", ".join(f"{count} at {name}" for name, count in facts["failures"].items())
        )
    times = f"{duration(facts['elapsed_s'])} at work, {duration(facts['device_s'])} of devices"
    price = f", cost {facts['cost']:.4g}" if facts["cost"] else ""
    grid.add_row("spent", f"{times}, {facts['tokens']:,} tokens{price}")
    lines = [Text(f"  {r['run_id']} {r['status']}: {r['reason']}") for r in facts["in_progress"]]
    return Group(Text(facts["sweep"], style="bold"), grid, *lines)
