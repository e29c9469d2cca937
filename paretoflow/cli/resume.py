"""`paretoflow resume`: continue a sweep, from its folder alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paretoflow.cli.console import echo
from paretoflow.cli.options import AcceptChange, NoFsync, Overrides, SweepRoot, as_options
from paretoflow.cli.submit import Anyway, Env, Follow, Image, WorkingDir
from paretoflow.core.errors import UserError
from paretoflow.storage import as_folder

if TYPE_CHECKING:
    from paretoflow.storage import Folder


def resume(
    sweep: SweepRoot,
    overrides: Overrides = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="A dashboard, http://head:8265, to submit it there; or a Ray cluster that this"
            " machine is part of, for instance `auto`; a local Ray is started without it.",
        ),
    ] = None,
    follow: Follow = False,
    working_dir: WorkingDir = None,
    image: Image = None,
    env: Env = None,
    anyway: Anyway = False,
    no_fsync: NoFsync = False,
    accept_change: AcceptChange = False,
) -> None:
    """Continue an interrupted sweep, or extend a finished one; needs no YAML.

    Finished work is not repeated. Only `engine`, `stop` and `tracking` may change, for instance
    `--set stop.runs=20`. With a dashboard's address the sweep continues on the cluster; if it runs
    there already, the command attaches to it. `--follow`, `--working-dir`, `--image`, `--env` and
    `--anyway` are as for `submit`, which does not store them. Runs whose equal failures stopped the
    sweep are repeated. Exit status: as that of `run`; with `--follow` as that of the job.
    """
    if address is not None and address.startswith(("http://", "https://")):
        from paretoflow.cli.submit import mark_delivered
        from paretoflow.engine.cluster.submit import Surrounding, environment
        from paretoflow.engine.session.resume import load_sweep_spec

        spec = load_sweep_spec(sweep, overrides or (), files=False)
        surrounding = Surrounding(working_dir, image, environment(env or ()), accept_change)
        mark_delivered(spec, address, surrounding, follow=follow, anyway=anyway)
        return
    _refuse_cluster_options(
        follow=follow, working_dir=working_dir, image=image, env=env, anyway=anyway
    )
    again = ["paretoflow", "resume", sweep, *as_options(overrides)]
    root = as_folder(sweep)  # its path is absolute from here on
    with at_home(root, address):
        from paretoflow.cli.run import run_here
        from paretoflow.engine.session.resume import load_sweep_spec

        spec = load_sweep_spec(root, overrides or ())
        run_here(spec, again, address=address, fsync=not no_fsync, accept_change=accept_change)


@contextmanager
def at_home(root: Folder, address: str | None) -> Iterator[None]:
    """Change to the folder of the sweep's relative paths, for the block.

    For a sweep on a cluster this is the current folder, which the job was started in.
    """
    from paretoflow.engine.read.stored_spec import read_spec
    from paretoflow.engine.session.home import home_of

    here = Path.cwd()
    home = here if address is not None else home_of(root, read_spec(root))
    if home != here:
        echo(f"continuing in {home}, where the sweep began", err=True)
    with chdir(home):
        yield


def _refuse_cluster_options(**given: object) -> None:
    """Refuse options that would silently have no effect."""
    for name, value in given.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            raise UserError(
                "it is for a sweep on a cluster",
                option,
                "give the dashboard of its head: --address http://head:8265",
                code="usage-option",
            )
