"""`paretoflow status`: state of a sweep and of its worker groups."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from paretoflow.cli.console import echo
from paretoflow.cli.options import Format, FormatOption, SweepRoot, plain_console
from paretoflow.core.errors import LedgerError, StorageError

if TYPE_CHECKING:
    from paretoflow.engine.read.status import StandingReader

SHOWN = 10
"""Maximum worker groups shown; of more, the most relevant are shown and the rest counted."""
WIDE = 100
_PHASES = ("waiting", "leaving", "loading", "busy", "idle")
"""Phases, the most relevant first."""
_STYLES = {"waiting": "yellow", "leaving": "magenta", "loading": "cyan", "busy": "green"}


def status(
    sweep: SweepRoot,
    watch: Annotated[
        bool, typer.Option("--watch", help="Refresh until the sweep ends or Ctrl-C.")
    ] = False,
    format: FormatOption = Format.TEXT,
    every_s: Annotated[
        float, typer.Option(min=0.2, help="Seconds between two looks with --watch.")
    ] = 2.0,
) -> None:
    """Show a sweep's worker groups, runs, front, failures and cost; safe while it runs.

    All data come from the sweep's storage, without a connection to the cluster. The remaining work
    is estimated from the finished runs.
    """
    from paretoflow.engine.read.status import StandingReader, facts

    reader = StandingReader(sweep)
    if format is Format.JSON:
        echo(json.dumps(facts(reader.look(time.time())), indent=1))
        return
    console = plain_console()
    if watch:
        _watch(reader, sweep, console, every_s)
    else:
        found = facts(reader.look_twice())
        console.print(rendered(found, sweep, console.width))


def _watch(reader: StandingReader, sweep: str, console: Console, every_s: float) -> None:
    from paretoflow.engine.read.status import facts

    found = facts(reader.look(time.time()))
    shown = rendered(found, sweep, console.width)
    try:
        with Live(shown, console=console, auto_refresh=False) as live:
            while found["state"] != "ended":
                time.sleep(every_s)
                try:
                    found = facts(reader.look(time.time()))
                    shown = rendered(found, sweep, console.width)
                except (LedgerError, StorageError) as error:  # watching survives storage outages
                    live.update(Group(shown, Text(f"looking again: {error}", style="red")))
                else:
                    live.update(shown)
                live.refresh()
    except KeyboardInterrupt:
        return


def rendered(facts: dict[str, Any], sweep: str, width: int) -> RenderableType:
    """Return facts as a rich renderable.

    Args:
        facts: As returned by `engine.standing.facts`.
        sweep: The sweep as the user named it, for suggested commands.
        width: Columns of the terminal.
    """
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, text in _lines(facts, sweep):
        grid.add_row(name, text)
    parts: list[RenderableType] = [Text(facts["sweep"], style="bold"), grid]
    if facts["worker_groups"]:
        parts += _groups(facts, width)
    parts += _without_group(facts)
    return Group(*parts)


def _lines(facts: dict[str, Any], sweep: str) -> list[tuple[str, str]]:
    from paretoflow.cli.paces import duration

    runs, (low, high) = facts["runs"], facts["hypervolume_ci"]
    lines = [("state", _state(facts, sweep))]
    kinds = ("finished", "failed", *(["paused"] if runs["paused"] else []), "pending")
    counts = ", ".join(f"{runs[k]} {k}" for k in kinds)
    lines.append(("runs", f"{counts}, of {runs['budget']}"))
    volume = f"{facts['hypervolume']:.4g}"
    volume += f" reported; corrected, 95 %: {low:.4g} to {high:.4g}" if high > low else ""
    lines.append(("front", f"{_counted(facts['front'], 'point')}, hypervolume {volume}"))
    lines += [("note", note) for note in facts["notes"]]
    if facts["constrained"] is not None:
        lines.append(("constrained", _constrained(facts["constrained"])))
    if facts["further_run"] is not None:
        lines.append(("further run", _further(facts["further_run"])))
    lines.append(("evaluations", f"{facts['evaluations']}, {facts['snapshots']} front snapshots"))
    lines += [("data", line) for line in facts["data"]["lines"]]
    lines += [("changed", change["text"]) for change in facts["changes"]]
    if facts["failures"]:
        told = ", ".join(f"{count} at {name}" for name, count in facts["failures"].items())
        causes = ", ".join(
            f"{n} {c.replace('_', ' ')}" for c, n in facts["failed_attempts"].items()
        )
        lines.append(("failures", f"runs: {told}; attempts: {causes}"))
    times = f"{duration(facts['elapsed_s'])} at work, {duration(facts['device_s'])} of devices"
    price = f", cost {facts['cost']:.4g}" if facts["cost"] else ""
    lines.append(("spent", f"{times}, {facts['tokens']:,} tokens{price}"))
    rest = facts["left"]
    if rest is not None and rest["seconds"] and facts["state"] != "ended":
        price = f", cost {rest['cost']:.4g}" if rest["cost"] else ""
        times = f"{duration(rest['seconds'])}, {duration(rest['device_s'])} of devices"
        lines.append(("left, about", f"{times}{price}"))
    return lines


def _constrained(ended: dict[str, Any]) -> str:
    missed = [f"{run} {told['text']}" for run, told in ended["runs"].items() if not told["kept"]]
    counts = f"{ended['kept']} of {ended['finished']} runs kept their thresholds"
    better = f", {ended['improved']} of these improved their target" if ended["kept"] else ""
    return "; ".join([counts + better, *missed])


def _further(gain: dict[str, float]) -> str:
    share, low, high = (f"{100 * gain[k]:.2g}" for k in ("per_run", "low", "high"))
    return f"should add {share} % to the hypervolume (80 %: {low} to {high} %)"


def _state(facts: dict[str, Any], sweep: str) -> str:
    from paretoflow.cli.paces import duration

    state, driver = facts["state"], facts["driver"]
    if state == "ended":
        return f"ended: {facts['why']}"
    if state == "submitted":
        return "submitted: no driver has begun yet"
    if driver is None:
        return str(state)
    heard, where = duration(driver["silent_s"]), driver["where"]
    if state == "running":
        return f"running; driver {where} last heard {heard} ago"
    if facts["sure"]:
        sign = f"interrupted: the last sign of a driver was {heard} ago"
        return f"{sign}; continue with `paretoflow resume {sweep}`"
    at = datetime.fromtimestamp(facts["last_sign_s"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    sign = f"no sign of driver {where}; the last was at {at} UTC by its own clock"
    return f"{sign}. If it is dead, continue with `paretoflow resume {sweep}`"


def _groups(facts: dict[str, Any], width: int) -> list[RenderableType]:
    from paretoflow.cli.paces import duration

    groups = facts["worker_groups"]
    counts = Counter(g["phase"] for g in groups)
    told = ", ".join(f"{counts[p]} {p}" for p in _PHASES if counts[p])
    busy = f"busy {facts['utilisation']:.0%} of the time since the driver's start"
    parts: list[RenderableType] = [
        Text(f"\n{_counted(len(groups), 'worker group')}: {told}; {busy}")
    ]
    table = Table.grid(padding=(0, 2))
    shown = _most_telling([g for g in groups if not g["reason"]])
    for group in shown:
        steps = (
            group["doing"] if group["step"] is None else f"step {group['step']}/{group['steps']}"
        )
        again = f", attempt {group['attempt'] + 1}" if group["attempt"] else ""
        where = [" ".join(group["where"])] if width >= WIDE else []
        phase = Text(group["phase"], style=_STYLES.get(group["phase"], ""))
        run = group["run_id"] + again
        table.add_row(f"  {group['slot']}", phase, duration(group["for_s"]), run, steps, *where)
    parts.append(table)
    reasons = _reasons(groups)
    parts += reasons[:SHOWN]
    hidden = len(groups) - len(shown) - sum(bool(g["reason"]) for g in groups)
    if hidden:
        parts.append(Text(f"  … and {hidden} more", style="dim"))
    return parts


def _reasons(groups: list[dict[str, Any]]) -> list[RenderableType]:
    """Return a line for each reason of worker groups, for instance for waiting."""
    from paretoflow.cli.paces import duration

    by_reason: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for group in groups:
        if group["reason"]:
            by_reason.setdefault((group["phase"], group["reason"]), []).append(group)
    lines: list[RenderableType] = []
    for (phase, reason), alike in by_reason.items():
        slots = ", ".join(str(g["slot"]) for g in alike[:SHOWN])
        more = f" and {len(alike) - SHOWN} more" if len(alike) > SHOWN else ""
        longest = duration(max(g["for_s"] for g in alike))
        head = Text(f"  {slots}{more} ")
        head.append(phase, style=_STYLES.get(phase, ""))
        lines.append(head.append(f" for up to {longest}: {reason}"))
    return lines


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _most_telling(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the groups to show: of many, those not in training, and those longest in a phase."""
    if len(groups) <= SHOWN:
        return groups
    ordered = sorted(groups, key=lambda g: (_PHASES.index(g["phase"]), -g["for_s"]))
    return ordered[:SHOWN]


def _without_group(facts: dict[str, Any]) -> list[RenderableType]:
    """Return a line for each open run that no worker group works on."""
    taken = {g["run_id"] for g in facts["worker_groups"]}
    free = [r for r in facts["in_progress"] if r["run_id"] not in taken]
    lines: list[RenderableType] = [
        Text(f"  {r['run_id']} {r['status']}: {r['reason']}") for r in free[:SHOWN]
    ]
    if len(free) > SHOWN:
        lines.append(Text(f"  … and {len(free) - SHOWN} more runs", style="dim"))
    return lines
