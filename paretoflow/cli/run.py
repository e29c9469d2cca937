"""`paretoflow run`: run a sweep, or go on with one."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer
from rich.console import Console

from paretoflow.cli.options import Job, Overrides, Storage


def run(
    job: Job,
    overrides: Overrides = None,
    storage: Storage = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="A running Ray cluster, for instance `auto`; a local Ray is started without it."
        ),
    ] = None,
    no_fsync: Annotated[
        bool,
        typer.Option(
            "--no-fsync", help="Do not wait for the disk at each commit: faster, may lose the tail."
        ),
    ] = False,
) -> None:
    """Run a sweep; where one of that name exists, go on with it.

    Nothing that finished is done again. Ctrl-C stops safely. On going on, only `engine`, `stop` and
    `storage` may differ: `--set stop.runs=20` lets a finished sweep grow.
    """
    from paretoflow.cli.progress import Progress
    from paretoflow.engine.session import run_sweep, sweep_root
    from paretoflow.spec.load import load_spec

    spec = load_spec(job, overrides or (), storage)
    root = sweep_root(spec)
    console = Console(highlight=False)
    try:
        with Progress(spec, console) as progress:
            reason = run_sweep(spec, watch=progress, address=address, fsync=not no_fsync)
    except KeyboardInterrupt:
        again = ["paretoflow", "run", str(job)]
        again += [part for change in overrides or () for part in ("--set", change)]
        again += ["--storage", storage] if storage else []
        told = f"stopped; nothing that finished is lost. Go on with: {shlex.join(again)}"
        console.print(told, markup=False, soft_wrap=True)
        raise
    console.print(f"done: {reason}", markup=False)
    from paretoflow.cli.front import show_front

    show_front(root, console)
