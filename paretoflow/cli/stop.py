"""`paretoflow stop`: make a sweep save its runs and stop, on any machine."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Annotated

import typer

from paretoflow.cli.console import echo
from paretoflow.cli.options import SweepRoot
from paretoflow.core.shown import without_secrets

if TYPE_CHECKING:
    from paretoflow.engine.read.status import StandingReader, SweepStatus

LOOK_EVERY_S = 0.5
_STOPPED = "stopped"


def stop(
    sweep: SweepRoot,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Dashboard of the cluster's head: ends the job there if the driver does not obey.",
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, metavar="S", help="Seconds to wait until it has stopped.")
    ] = 60.0,
) -> None:
    """Stop a sweep: its driver saves and records open runs, and ends.

    The request goes through the sweep's storage, so it needs no connection to the cluster.
    `paretoflow resume` continues from there; finished work is kept.
    """
    from paretoflow.engine.read.status import StandingReader

    reader = StandingReader(sweep)
    standing = reader.look_twice()
    told, status = _ask(reader, standing, sweep, wait)
    echo(told)
    if address is not None and not told.startswith(_STOPPED):
        _end_job(standing, sweep, address)
    elif status:
        raise typer.Exit(status)


def _ask(
    reader: StandingReader, standing: SweepStatus, sweep: str, wait_s: float
) -> tuple[str, int]:
    """Ask the driver to stop; return the outcome, and the exit status if that is all."""
    from paretoflow.cli.paces import duration
    from paretoflow.engine.session.stop_request import request_stop
    from paretoflow.storage import as_folder

    if standing.state.closed:
        return f"nothing to stop: the sweep has ended ({standing.state.closed})", 0
    if standing.phase == "submitted":  # a driver ignores requests from before its start
        return "no driver has begun yet; the cluster's --address ends its job", 1
    request_stop(as_folder(sweep))
    if standing.phase == "interrupted":
        silent = duration(standing.silent_s)
        return (
            f"the last sign of a driver was {silent} ago; one that still lives finds the request",
            0,
        )
    driver = f" {standing.live.driver}" if standing.live else ""
    echo(f"asked the driver{driver} to save its runs and stop …")
    if _obeyed(reader, wait_s):
        return f"{_STOPPED}; continue with: paretoflow resume {shlex.quote(sweep)}", 0
    return (
        f"the driver has not stopped after {wait_s:g} s; `paretoflow status` shows when it has",
        1,
    )


def _obeyed(reader: StandingReader, patience_s: float) -> bool:
    """Return whether the sweep is recorded as ended within `patience_s` seconds."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
        if reader.look(time.time()).state.closed:
            return True
    return False


def _end_job(standing: SweepStatus, sweep: str, address: str) -> None:
    from paretoflow.engine.cluster.dashboard import Dashboard
    from paretoflow.engine.cluster.submit import Jobs
    from paretoflow.storage import as_folder

    dashboard = Dashboard(address)
    dashboard.check()
    jobs = Jobs(dashboard, standing.spec["name"], as_folder(sweep).uri)
    name = jobs.live()
    if name is None:
        echo(without_secrets(f"no job of it runs at {dashboard.address}"))
        return
    jobs.stop(name)
    told = f"ended {name} at {dashboard.address}; runs that were open start again on resuming"
    echo(without_secrets(told))
