"""`paretoflow simulate`: the same planner and ledger against an oracle, in virtual time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from paretoflow.cli.console import echo
from paretoflow.cli.ending import conclude
from paretoflow.cli.options import Format, FormatOption, Job, Overrides, plain_console

if TYPE_CHECKING:
    from paretoflow.engine.session.simulate import Simulation


OracleOption = Annotated[
    str,
    typer.Option(
        help="module:factory, whose factory() returns an object with launch(proposal, rng) or "
        "train(task, rng); or llm_like.",
        show_default=False,
    ),
]
Runs = Annotated[
    int | None, typer.Option(min=1, help="Runs to launch; the spec's stop.runs without it.")
]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed; the spec's without it.")]
WorkerGroups = Annotated[
    int | None,
    typer.Option(
        "--worker-groups",
        "--workers",
        min=1,
        help="Simulated worker groups; the spec's engine.worker_groups without it.",
    ),
]
Crash = Annotated[
    float, typer.Option(min=0, max=1, help="Probability that an attempt's worker group dies.")
]
Straggle = Annotated[
    float, typer.Option(min=0, max=1, help="Probability that an attempt takes five times as long.")
]


def simulate(
    job: Job,
    oracle: OracleOption,
    runs: Runs = None,
    seed: Seed = None,
    worker_groups: WorkerGroups = None,
    crash: Crash = 0.0,
    straggle: Straggle = 0.0,
    overrides: Overrides = None,
    format: FormatOption = Format.TEXT,
) -> None:
    """Run a sweep's decisions against an oracle instead of training, in virtual time.

    An oracle's launch(proposal, rng) returns its checkpoints: (cost in seconds, raw scores in the
    order of the objectives). One with train(task, rng) gets names and the state that training
    starts from, and may return scores by prompt. The whole contract is in the docstring of
    paretoflow.engine.oracles. The oracle `llm_like` behaves like fine-tuning a language model. Same
    job, oracle and seed: same launches. Exit status: 1 if no run finished, or `stop.failures` runs
    in a row failed alike.
    """
    from paretoflow.engine.session.simulate import load_oracle
    from paretoflow.engine.session.simulate import simulate as run_simulation
    from paretoflow.engine.simulation.backend import FaultModel
    from paretoflow.spec.load import load_spec

    given = {"stop.runs": runs, "seed": seed, "engine.worker_groups": worker_groups}
    changes = [f"{key}={value}" for key, value in given.items() if value is not None]
    spec = load_spec(job, [*(overrides or ()), *changes], simulated=True)
    result = run_simulation(
        spec, load_oracle(oracle), faults=FaultModel(crash=crash, straggle=straggle)
    )
    _show(result, format)
    conclude(result.ending)


def _show(result: Simulation, format: Format) -> None:
    from paretoflow.api import Front
    from paretoflow.cli.front import print_front

    front = Front(result.front)
    if format is Format.JSON:
        facts = front.to_dict() | {
            "launches": list(result.launches),
            "virtual_s": result.virtual_s,
            "why": result.reason,
        }
        echo(json.dumps(facts, indent=1, allow_nan=False))
        return
    console = plain_console()
    for launch in result.launches:
        console.print(f"{launch['run_id']} {launch['status']}: {launch['reason']}", markup=False)
    console.print(f"done after {result.virtual_s:g} virtual seconds: {result.reason}", markup=False)
    print_front(front, console)
