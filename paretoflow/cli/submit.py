"""`paretoflow submit`: submit a sweep to a Ray cluster."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paretoflow.cli.console import echo, echo_log
from paretoflow.cli.options import AcceptChange, Job, Overrides, Storage
from paretoflow.core.errors import ClusterError, SpecError
from paretoflow.core.shown import without_secrets

if TYPE_CHECKING:
    from paretoflow.engine.cluster.dashboard import Dashboard
    from paretoflow.engine.cluster.submit import Jobs, Surrounding
    from paretoflow.spec.sweep import SweepSpec
    from paretoflow.storage import Folder

Follow = Annotated[
    bool, typer.Option("--follow", help="Print the job's log until it ends, and end as it does.")
]
Anyway = Annotated[
    bool,
    typer.Option(
        "--anyway",
        help="Submit although no worker group fits now: the cluster grows when asked to.",
    ),
]
WorkingDir = Annotated[
    Path | None,
    typer.Option(
        "--working-dir", metavar="DIR", help="Upload a folder; the sweep runs in it on every node."
    ),
]
Image = Annotated[
    str | None, typer.Option("--image", metavar="IMAGE", help="Container image to run in.")
]
Env = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        metavar="KEY[=VALUE]",
        help="Environment variable of the sweep; KEY alone takes this machine's value. May be given"
        " again. Nothing else of this machine's environment goes along. Whoever may look at the"
        " cluster's jobs can read it.",
    ),
]
LEAVING_S = 60.0
"""Maximum time of a job to end after its driver has closed the sweep."""
LOOK_EVERY_S = 0.5
_SIGNS = {"SUCCEEDED": 0, "STOPPED": 130}


def submit(
    job: Job,
    address: Annotated[
        str,
        typer.Option(
            envvar="RAY_API_SERVER_ADDRESS",
            metavar="URL",
            help="Dashboard of the cluster's head, for instance http://head:8265.",
            show_default=False,
        ),
    ],
    overrides: Overrides = None,
    storage: Storage = None,
    follow: Follow = False,
    working_dir: WorkingDir = None,
    image: Image = None,
    env: Env = None,
    anyway: Anyway = False,
    accept_change: AcceptChange = False,
) -> None:
    """Submit a sweep to a Ray cluster; this machine is not needed afterwards.

    The YAML is checked here and written into the sweep's folder, which the cluster must reach too:
    an object store, or a path that every node sees. Submitting a running sweep attaches to it.

    The token of a cluster, if any, is read from RAY_AUTH_TOKEN, or from the file in
    RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token.
    """
    from paretoflow.engine.cluster.submit import Surrounding, environment

    surrounding = Surrounding(working_dir, image, environment(env or ()), accept_change)
    surrounding.as_runtime_env()
    spec = _spec_for_elsewhere(job, overrides or (), storage)
    mark_delivered(spec, address, surrounding, follow=follow, anyway=anyway)


def mark_delivered(
    spec: SweepSpec, address: str, surrounding: Surrounding, *, follow: bool, anyway: bool
) -> None:
    """Submit a sweep, or attach to its job; print how to continue, or follow it to its end.

    Raises:
        ClusterError: If the cluster cannot be reached, refuses access or is too small.
        SpecError: If another sweep of that name exists there.
        UserError: If the working directory is too large to upload.
        SchemaVersionError: If a newer version of ParetoFlow wrote the existing sweep.
        Exit: With the job's result, when it was followed.
    """
    from paretoflow.engine.cluster.dashboard import Dashboard
    from paretoflow.engine.cluster.submit import Jobs
    from paretoflow.engine.session.folder import drawn_as_begun, entering, sweep_root
    from paretoflow.engine.session.resume import changed_keys, require_readable
    from paretoflow.spec.load import require_valid
    from paretoflow.storage import as_folder

    require_valid(spec)
    dashboard = Dashboard(address)
    dashboard.check()
    spec = spec.model_copy(update={"storage": as_folder(spec.storage).uri})
    folder = sweep_root(spec)
    require_readable(folder)
    spec = drawn_as_begun(spec, folder)
    jobs = Jobs(dashboard, spec.name, folder.uri)
    name = _job_to_attach_to(jobs, folder)
    if name is None:
        _require_room(dashboard, spec, anyway=anyway)
        if folder.local is not None and not dashboard.is_local:
            _note(f"{folder.uri} is a path: every node of the cluster must see it under that name")
        surrounding = _measured(surrounding, folder)
        with entering(spec, folder):
            name, new = jobs.submit(surrounding)
        told = "submitted" if new else "attached to"
    else:
        told = "attached to"
        changed = changed_keys(spec, folder)
        if changed:
            _note(f"its own {', '.join(changed)} stays: stop and resume it to change that")
        if surrounding.accept_change:
            _note("--accept-change is for a start: it has no effect on a sweep that runs")
    echo(without_secrets(f"{told} {name} at {dashboard.address}"))
    if follow:
        _follow(jobs, name, folder.uri, dashboard.address)
    else:
        _say_how_to_go_on(folder.uri, dashboard.address)


def _job_to_attach_to(jobs: Jobs, folder: Folder) -> str | None:
    """Return the running job; wait first for one whose driver has closed the sweep to end.

    A job that was just submitted for an ended sweep looks the same until its driver starts.
    """
    from paretoflow.engine.read.status import StandingReader

    deadline = time.monotonic() + LEAVING_S
    while (name := jobs.live()) is not None and time.monotonic() < deadline:
        if StandingReader(folder).look(time.time()).phase != "ended":
            return name
        time.sleep(LOOK_EVERY_S)
    return name


def _spec_for_elsewhere(job: Path, overrides: Sequence[str], storage: str | None) -> SweepSpec:
    """Read a YAML whose files may be on the cluster only; print those missing on this machine."""
    from paretoflow.cli.local import load_for_elsewhere

    try:
        return load_for_elsewhere(job, overrides, storage)
    except SpecError as error:
        spec = load_for_elsewhere(job, overrides, storage, files=False)
        for fault in error.faults:
            _note(f"not on this machine, so it must be on the cluster: {fault.where}: {fault.what}")
        return spec


def _require_room(dashboard: Dashboard, spec: SweepSpec, *, anyway: bool) -> None:
    from paretoflow.engine.cluster.capacity import room, shortfall

    nodes, engine = dashboard.nodes(), spec.engine
    missing = shortfall(nodes, engine.resources)
    if missing and not anyway:
        raise ClusterError(
            f"too small for a worker group: {missing}",
            dashboard.address,
            "lower engine.resources, add nodes, or give --anyway if the cluster grows by itself",
            code="cluster-too-small",
        )
    fit = room(nodes, engine.resources)
    if missing or fit < engine.worker_groups:
        _note(
            f"now there is room for {fit} of {engine.worker_groups} worker groups; "
            "the others wait for theirs"
        )


def _measured(surrounding: Surrounding, folder: Folder) -> Surrounding:
    """Print the upload's size, exclude ignored files, and refuse too large uploads."""
    if surrounding.working_dir is None:
        return surrounding
    from paretoflow.engine.cluster.upload import most_bytes, upload_of

    storage = None if folder.local is None else folder.local.parent
    upload = upload_of(surrounding.working_dir, storage)
    upload.require_room(most_bytes())
    _note(str(upload))
    return replace(surrounding, excludes=upload.excludes)


def _follow(jobs: Jobs, name: str, uri: str, address: str) -> None:
    try:
        end = jobs.follow(name, echo_log)
    except KeyboardInterrupt:
        echo(f"\n{name} keeps running", err=True)
        _say_how_to_go_on(uri, address)
        raise
    echo(f"{name} {end.status.lower()}: {end.message}", err=True)
    raise typer.Exit(_SIGNS.get(end.status, end.exit_code or 1))


def _say_how_to_go_on(uri: str, address: str) -> None:
    where, head = shlex.quote(uri), shlex.quote(without_secrets(address))
    echo(f"  status  paretoflow status {where} --watch")
    echo(f"  follow  paretoflow resume {where} --address {head} --follow")
    echo(f"  stop    paretoflow stop {where} --address {head}")


def _note(text: str) -> None:
    echo(text, err=True, mark=typer.style("note:", fg="yellow", bold=True))
