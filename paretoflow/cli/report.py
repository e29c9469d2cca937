"""`paretoflow report`: one HTML page about a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paretoflow.cli.console import echo
from paretoflow.cli.front import Snapshot
from paretoflow.cli.options import SweepRoot
from paretoflow.core.errors import UserError

PICTURES = (".png", ".svg", ".pdf", ".jpg", ".jpeg")
"""Suffixes that an HTML page must not have: viewers would report it as damaged."""


def report(
    sweep: SweepRoot,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="Where to; report.html in DIR, or NAME.html here."
        ),
    ] = None,
    snapshot: Snapshot = None,
) -> None:
    """Write one self-contained HTML page: the front, its growth, answers, runs and failures."""
    from paretoflow.api import open_sweep

    if out is not None and out.suffix.lower() in PICTURES:
        raise UserError(
            f"{out} is named as a picture, and a report is an HTML page",
            "--out",
            "name it .html; `paretoflow export DIR -o FOLDER` writes a front.png",
            code="usage-option",
        )
    echo(f"wrote {open_sweep(sweep).report(out, snapshot)}")
