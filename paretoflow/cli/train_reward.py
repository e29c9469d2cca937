"""`paretoflow train-reward`: reward models from preference pairs."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from paretoflow.cli.console import new_console

if TYPE_CHECKING:
    from paretoflow.rewards.metrics import RewardMetrics
    from paretoflow.rewards.run import TrainingProgress
    from paretoflow.spec.rewards import RewardSpec

_LINES = 10
"""Lines that a training prints without a terminal."""


def train_reward(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A YAML that names the preference pairs.")
    ],
    out: Annotated[
        str | None, typer.Option("-o", "--out", metavar="OUT", help="New folder, over `output`.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Put a value over the file's, for instance steps=500; may be given again.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace earlier rewards at OUT.")] = False,
) -> None:
    r"""Train reward models from preference pairs, for a sweep's objectives.

    \b
    pairs:                      files with the columns prompt, chosen, rejected
      - {path: helpful.jsonl, objective: helpful}
      - {path: brief.parquet, objective: brief}
    outputs: heads              separate: a model each; one: one shared reward
    weighting: more             min-norm weights of the objectives; sum by default
    groups: {count: 2, annotator: worker}
                                instead of objectives: find groups of annotators

    Without `model.path` the tiny base of the package is trained. Prints each reward's accuracy on
    held-out pairs and its calibration error (ECE), and the objectives to copy into a sweep. Nothing
    is written before the end: Ctrl-C leaves no files.
    """
    from paretoflow.engine.session.interrupts import interrupts
    from paretoflow.spec.rewards_load import load_reward_spec

    spec = load_reward_spec(config, overrides or ())
    if out is not None:
        spec = spec.model_copy(update={"output": out})
    console = new_console()
    try:
        with interrupts() as noted, noted.told_apart():
            metrics = _trained(spec, console, force=force)
    except KeyboardInterrupt as asked:
        console.print("stopped; nothing was written")
        raise typer.Exit(128 + getattr(asked, "number", signal.SIGINT)) from None
    console.print(_table(metrics))
    console.print(f"wrote {spec.output}; put these into a sweep:", markup=False, soft_wrap=True)
    console.print(_objectives(spec, metrics), markup=False, soft_wrap=True)


def _trained(spec: RewardSpec, console: Console, *, force: bool) -> Sequence[RewardMetrics]:
    from paretoflow.rewards.run import train_rewards

    if not console.is_terminal:
        return train_rewards(spec, _Printed(console), force=force)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("reading pairs", total=None)

        def show(at: TrainingProgress) -> None:
            told = f"{at.model}, loss {at.loss:.4f}"
            bar.update(task, description=told, completed=at.step, total=at.steps)

        return train_rewards(spec, show, force=force)


class _Printed:
    """Prints a few lines of progress."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, at: TrainingProgress) -> None:
        if at.step % max(at.steps // _LINES, 1) == 0:
            line = f"{at.model}: step {at.step} of {at.steps}, loss {at.loss:.4f}"
            self._console.print(line, markup=False)


def _table(metrics: Sequence[RewardMetrics]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("objective", overflow="fold")
    for name in ("pairs", "held out", "accuracy", "ECE", "loss"):
        table.add_column(name, justify="right", no_wrap=True)
    for m in metrics:
        accuracy = f"{m.accuracy:.3f} ± {m.accuracy_stderr:.3f}"
        numbers = (str(m.trained), str(m.held_out), accuracy, f"{m.ece:.3f}", f"{m.loss:.4f}")
        table.add_row(m.objective, *numbers)
    return table


def _objectives(spec: RewardSpec, metrics: Sequence[RewardMetrics]) -> str:
    """Return the lines of a sweep YAML that name the rewards; a shared one once."""
    lines = ["objectives:"]
    places = {(m.folder, m.output): m for m in metrics}
    for (folder, output), m in places.items():
        name = "shared" if spec.outputs == "one" else m.objective
        path = str(Path(spec.output) / folder)
        fields = f"name: {name}, type: reward_model, path: {json.dumps(path)}, output: {output}"
        more = f", max_length: {spec.max_length}" if spec.max_length != _DEFAULT_LENGTH else ""
        lines.append(f"  - {{{fields}{more}}}")
    return "\n".join(lines)


_DEFAULT_LENGTH = 1024
"""Default of the objective's own `max_length`."""
