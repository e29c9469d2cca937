"""`paretoflow export`: a front that stands alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paretoflow.cli.front import Snapshot
from paretoflow.cli.options import SweepRoot


def export(
    sweep: SweepRoot,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="OUT", help="A new folder.", show_default=False)
    ],
    snapshot: Snapshot = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace an earlier export at OUT; anything else there is kept."
        ),
    ] = False,
) -> None:
    """Write a front as a folder that stands alone.

    It holds tables, PEFT adapters, the spec, a card and a plot. Every adapter is
    checked against the digest that the ledger holds of it.
    """
    from paretoflow.api import open_sweep

    typer.echo(f"wrote {open_sweep(sweep).export(out, snapshot, force=force)}")
