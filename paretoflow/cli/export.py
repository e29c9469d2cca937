"""`paretoflow export`: write a self-contained front."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from paretoflow.cli.console import echo
from paretoflow.cli.front import Snapshot
from paretoflow.cli.options import SweepRoot


def export(
    sweep: SweepRoot,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="OUT", help="A new folder.", show_default=False)
    ],
    format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="folder, parquet, json, csv, arrow, hub-folder or vllm.",
        ),
    ] = "folder",
    snapshot: Snapshot = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace an earlier export at OUT; anything else there is kept."
        ),
    ] = False,
) -> None:
    r"""Write a front as a self-contained folder that can be verified.

    \b
    folder      tables, PEFT adapters, the spec, a card and a plot
    parquet, json, csv, arrow
                the front and every evaluation as two tables, nothing else
    hub-folder  adapters with a model card, for `hf upload`; nothing is uploaded
    vllm        adapters, `serve.sh` with the `vllm serve` line, and a table
                with the adapter for each preference

    Every adapter is checked against the digest that the ledger holds of it.
    """
    from paretoflow.api import open_sweep
    from paretoflow.exporters.reading import read_manifest

    open_sweep(sweep).export(out, snapshot, force=force, format=format)
    echo(f"wrote {out}")
    digest = read_manifest(out).digest
    echo(f"check it: paretoflow verify {shlex.quote(str(out))} --digest {digest}")
