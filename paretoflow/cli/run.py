"""`paretoflow run`: run a sweep, or continue one."""

from __future__ import annotations

import shlex
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from paretoflow.cli.console import new_console
from paretoflow.cli.options import AcceptChange, Job, NoFsync, Overrides, Storage, as_options

if TYPE_CHECKING:
    from paretoflow.spec.sweep import SweepSpec


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
    no_fsync: NoFsync = False,
    accept_change: AcceptChange = False,
) -> None:
    """Run a sweep; if one of that name exists, continue it.

    Finished work is not repeated. Ctrl-C stops safely. When a sweep continues, only `engine`,
    `stop`, `storage` and `tracking` may differ: `--set stop.runs=20` extends a finished sweep. Exit
    status: 0 done, though single runs may have failed; 1 if no run finished, or `stop.failures`
    runs in a row failed alike; 2 for a fault in the input; 130 interrupted.
    """
    from paretoflow.cli.local import load_and_look, load_for_elsewhere

    again = ["paretoflow", "run", str(job), *as_options(overrides)]
    again += ["--storage", storage] if storage else []
    if address is None:
        spec, _ = load_and_look(job, overrides or (), storage)
    else:  # programs, functions and models are needed on the cluster's machines only
        spec = load_for_elsewhere(job, overrides or (), storage)
    run_here(spec, again, address=address, fsync=not no_fsync, accept_change=accept_change)


def run_here(
    spec: SweepSpec,
    again: list[str],
    *,
    address: str | None,
    fsync: bool,
    accept_change: bool = False,
) -> None:
    """Run a sweep with a display of its progress, and print its front.

    Args:
        spec: The sweep.
        again: Words of the command that resumes the sweep, without `--address`.
        address: A running Ray cluster; None starts a local one.
        fsync: Whether each commit waits for the disk.
        accept_change: Whether to continue although inputs of the scores have changed.

    Raises:
        SchemaVersionError: If a newer version of ParetoFlow wrote the existing sweep.
        Exit: After a signal, once open runs were recorded and the command to resume was printed.
        Exit: With 1, if no run finished or the same failure stopped the sweep early.
    """
    from paretoflow.cli.ending import conclude
    from paretoflow.cli.front import show_front
    from paretoflow.cli.progress import ProgressLines
    from paretoflow.engine.loop.hooks import Watching
    from paretoflow.engine.read.sweep import open_sweep_folder
    from paretoflow.engine.session.ending import Ending
    from paretoflow.engine.session.folder import sweep_root
    from paretoflow.engine.session.resume import require_readable
    from paretoflow.engine.session.run import run_sweep

    root = sweep_root(spec)
    require_readable(root)
    console = new_console()
    words = [*again, "--address", address] if address else again
    try:
        with ProgressLines(spec, console) as progress:
            watch = Watching(progress, progress.groups)
            reason = run_sweep(
                spec, watch=watch, address=address, fsync=fsync, accept_change=accept_change
            )
    except KeyboardInterrupt as asked:
        told = f"stopped; nothing that finished is lost. Continue with: {shlex.join(words)}"
        console.print(told, markup=False, soft_wrap=True)
        raise typer.Exit(128 + getattr(asked, "number", signal.SIGINT)) from None
    state = open_sweep_folder(root).state
    ending = Ending.of(state, reason)
    if not ending.trouble:
        console.print(f"done: {reason}", markup=False, soft_wrap=True)
    if state.evaluations:
        show_front(f"{spec.storage.rstrip('/')}/{spec.name}", console)
    conclude(ending, words)
