"""`paretoflow check`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from paretoflow.cli.console import echo
from paretoflow.cli.local import load_and_look
from paretoflow.cli.options import Format, FormatOption, Job, Overrides, Storage, plain_console
from paretoflow.cli.plan import Plan, plan_of
from paretoflow.cli.plan_parts import plan_parts
from paretoflow.core.errors import ClusterError
from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.sweep import SweepSpec


def check(
    job: Job,
    overrides: Overrides = None,
    storage: Storage = None,
    format: FormatOption = Format.TEXT,
    address: Annotated[
        str | None,
        typer.Option(help="Dashboard of a Ray cluster, which is asked whether it has room."),
    ] = None,
) -> None:
    """Validate a sweep YAML and print its plan.

    All faults are reported at once, each with its line and a hint. Files and model folders on this
    machine are checked, functions of objectives are called on two rows, and judges are asked for
    their models; nothing is downloaded, sampled or trained.
    """
    spec, found = load_and_look(job, overrides or (), storage)
    plan = plan_of(spec)
    if plan.exists:
        _require_same(spec)
    room = None if address is None else _room(spec, address)
    if format is Format.JSON:
        looked = {
            "notes": found.notes,
            "data": found.data and found.data.to_dict(),
            "memory": found.memory and found.memory.to_dict(),
            "room": room,
        }
        echo(json.dumps({**plan_json(spec, plan), "looked_at": looked}, indent=2))
        return
    console = plain_console()
    for part in plan_parts(spec, plan):
        console.print(part)
    told = found.lines() if room is None else [*found.lines(), room]
    for line in ("", *told) if told else ():
        console.print(line, markup=False, soft_wrap=True)


def _require_same(spec: SweepSpec) -> None:
    """Refuse a sweep of that name with other contents, as `run` would.

    Raises:
        SpecError: If there is such a sweep, and it has begun.
    """
    from paretoflow.engine.session.folder import drawn_as_begun, require_same, sweep_root

    root = sweep_root(spec)
    require_same(drawn_as_begun(spec, root), root)


def _room(spec: SweepSpec, address: str) -> str:
    """Return the number of worker groups that fit on a cluster.

    Raises:
        ClusterError: If the cluster cannot be reached, or has room for none.
    """
    from paretoflow.engine.cluster.capacity import room, shortfall
    from paretoflow.engine.cluster.dashboard import Dashboard

    dashboard = Dashboard(address)
    dashboard.check()
    nodes, resources = dashboard.nodes(), spec.engine.resources
    if missing := shortfall(nodes, resources):
        hint = "lower engine.resources, or add nodes"
        raise ClusterError(
            f"too small for a worker group: {missing}",
            dashboard.address,
            hint,
            code="cluster-too-small",
        )
    fit, workers = room(nodes, resources), spec.engine.worker_groups
    later = "" if fit >= workers else "; the others wait for theirs"
    return f"room: {dashboard.address} holds {min(fit, workers)} of {workers} worker groups{later}"


def plan_json(spec: SweepSpec, plan: Plan) -> dict[str, Any]:
    """Return a spec and its plan as plain JSON values."""
    return {
        "name": spec.name,
        "spec": spec.model_dump(mode="json"),
        **{k: v for k, v in asdict(plan).items() if k != "opening"},
        "opening": [proposal.to_dict() for proposal in plan.opening],
        "capabilities": asdict(CAPABILITIES[spec.method.type]),
    }
