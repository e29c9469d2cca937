"""`paretoflow simulate`: the same planner and ledger against an oracle, in virtual time."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from paretoflow.cli.options import Format, FormatOption, Job, Overrides, plain_console


def simulate(
    job: Job,
    oracle: Annotated[
        str,
        typer.Option(
            help="module:factory; factory() returns an object with a method launch(proposal, rng).",
            show_default=False,
        ),
    ],
    runs: Annotated[
        int | None, typer.Option(min=1, help="Runs to launch; the spec's stop.runs without it.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; the spec's without it.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Simulated workers; the spec's without it.")
    ] = None,
    crash: Annotated[
        float, typer.Option(min=0, max=1, help="Probability that an attempt's worker dies.")
    ] = 0.0,
    straggle: Annotated[
        float,
        typer.Option(min=0, max=1, help="Probability that an attempt takes five times as long."),
    ] = 0.0,
    overrides: Overrides = None,
    format: FormatOption = Format.TEXT,
) -> None:
    """Run a sweep's decisions against an oracle instead of training, in virtual time.

    An oracle's launch(proposal, rng) returns its checkpoints: (cost in seconds, raw scores in the
    order of the objectives). The whole contract is in the docstring of
    paretoflow.engine.simulated. Same job, oracle and seed: same launches.
    """
    from paretoflow.engine.session import load_oracle
    from paretoflow.engine.session import simulate as run_simulation
    from paretoflow.engine.simulated import Weather
    from paretoflow.spec.load import load_spec

    changes = list(overrides or ())
    changes += [f"stop.runs={runs}"] if runs is not None else []
    changes += [f"seed={seed}"] if seed is not None else []
    changes += [f"engine.workers={workers}"] if workers is not None else []
    spec = load_spec(job, changes)
    result = run_simulation(
        spec, load_oracle(oracle), weather=Weather(crash=crash, straggle=straggle)
    )
    from paretoflow.api import Front
    from paretoflow.cli.front import print_front

    front = Front(result.front)
    if format is Format.JSON:
        facts = front.to_dict() | {
            "launches": list(result.launches),
            "virtual_s": result.virtual_s,
            "why": result.reason,
        }
        typer.echo(json.dumps(facts, indent=1, allow_nan=False))
        return
    console = plain_console()
    for launch in result.launches:
        console.print(f"{launch['run_id']} {launch['status']}: {launch['reason']}", markup=False)
    console.print(f"done after {result.virtual_s:g} virtual seconds: {result.reason}", markup=False)
    print_front(front, console)
