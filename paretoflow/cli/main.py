"""Entry point `paretoflow`: find the verb, and turn errors into messages and exit statuses.

Exit status: 0 done, 1 failed (ours: a traceback), 2 the user's (a hint), 130 interrupted.
"""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import getdoc
from typing import Annotated, Any

import typer

from paretoflow.cli.console import echo, fit_streams, let_go
from paretoflow.cli.telling import ShownGroup, missing_extra, shown_plainly, tell
from paretoflow.core.errors import (
    LedgerError,
    MethodError,
    ObjectiveError,
    UserError,
    WorkerError,
)
from paretoflow.storage.output import output_error


@dataclass(frozen=True)
class Verb:
    """One command.

    Args:
        target: `module:function`, imported when the verb is used.
        summary: Its line in the list of commands.
        examples: Shown at the end of its own help.
    """

    target: str
    summary: str
    examples: tuple[str, ...]


VERBS: dict[str, Verb] = {
    "check": Verb(
        "paretoflow.cli.check:check",
        "Validate a sweep YAML and print the plan; trains nothing.",
        ("paretoflow check jobs/quickstart.yaml --set stop.runs=20",),
    ),
    "run": Verb(
        "paretoflow.cli.run:run",
        "Run a sweep, or continue one that was interrupted.",
        ("paretoflow run jobs/quickstart.yaml",),
    ),
    "submit": Verb(
        "paretoflow.cli.submit:submit",
        "Hand a sweep over to a Ray cluster.",
        (
            "paretoflow submit jobs/quickstart.yaml --address http://head:8265 "
            "--storage s3://bucket/sweeps --follow",
        ),
    ),
    "resume": Verb(
        "paretoflow.cli.resume:resume",
        "Continue a sweep from its folder alone, here or on a cluster.",
        (
            "paretoflow resume sweeps/quickstart --set stop.runs=20",
            "paretoflow resume s3://bucket/sweeps/quickstart --address http://head:8265 --follow",
        ),
    ),
    "stop": Verb(
        "paretoflow.cli.stop:stop",
        "Let a sweep save its runs and stop, wherever it runs.",
        ("paretoflow stop s3://bucket/sweeps/quickstart",),
    ),
    "status": Verb(
        "paretoflow.cli.status:status",
        "Say how far a sweep is.",
        (
            "paretoflow status sweeps/quickstart --watch",
            "paretoflow status s3://bucket/sweeps/quickstart --format json",
        ),
    ),
    "front": Verb(
        "paretoflow.cli.front:front",
        "Print the Pareto front of a sweep.",
        ("paretoflow front sweeps/quickstart --format json",),
    ),
    "pick": Verb(
        "paretoflow.cli.pick:pick",
        "Pick the adapter of a front that suits a preference.",
        ("paretoflow pick sweeps/quickstart --prefer coverage=0.7,conciseness=0.3",),
    ),
    "confirm": Verb(
        "paretoflow.cli.confirm:confirm",
        "Score a front once more, on prompts that the sweep never saw.",
        (
            "paretoflow confirm sweeps/quickstart",
            "paretoflow confirm sweeps/mine --data fresh.jsonl --n 200 --prefer quality=1",
        ),
    ),
    "curves": Verb(
        "paretoflow.cli.curves:curves",
        "Print what the runs logged step by step: loss, reward, KL, rate.",
        (
            "paretoflow curves sweeps/quickstart",
            "paretoflow curves sweeps/quickstart r0003 --format csv > r0003.csv",
        ),
    ),
    "report": Verb(
        "paretoflow.cli.report:report",
        "Write one HTML page about a sweep.",
        ("paretoflow report sweeps/quickstart -o report.html",),
    ),
    "snapshots": Verb(
        "paretoflow.cli.snapshots:snapshots",
        "List every front that a sweep has recorded.",
        (
            "paretoflow snapshots sweeps/quickstart",
            "paretoflow front sweeps/quickstart --snapshot 3",
        ),
    ),
    "diff": Verb(
        "paretoflow.cli.diff:diff",
        "Compare two fronts: of two sweeps, front snapshots or exports.",
        (
            "paretoflow diff sweeps/quickstart@3 sweeps/quickstart",
            "paretoflow diff my-front s3://bucket/sweeps/other -o both.html",
        ),
    ),
    "compare": Verb(
        "paretoflow.cli.compare:compare",
        "Compare sweeps on the same prompts: fronts, intervals, cost.",
        (
            "paretoflow compare sweeps/dpo sweeps/modpo sweeps/grpo",
            "paretoflow compare sweeps/dpo sweeps/modpo --plot fronts.png",
        ),
    ),
    "export": Verb(
        "paretoflow.cli.export:export",
        "Write a front that stands on its own: tables, adapters, a card.",
        (
            "paretoflow export sweeps/quickstart -o my-front",
            "paretoflow export sweeps/quickstart -o served --format vllm",
            "paretoflow export sweeps/quickstart -o tables --format csv --snapshot 3",
        ),
    ),
    "verify": Verb(
        "paretoflow.cli.verify:verify",
        "Check that an export is what was exported.",
        ("paretoflow verify my-front",),
    ),
    "train-reward": Verb(
        "paretoflow.cli.train_reward:train_reward",
        "Train reward models from preference pairs, to use as objectives.",
        ("paretoflow train-reward rewards.yaml -o rewards/mine --set steps=500",),
    ),
    "simulate": Verb(
        "paretoflow.cli.simulate:simulate",
        "Run a sweep's planner against an oracle, in virtual time.",
        ("paretoflow simulate jobs/quickstart.yaml --oracle my_oracles:convex --runs 40 --seed 1",),
    ),
    "schema": Verb(
        "paretoflow.cli.schema:schema",
        "Print the JSON schema of sweep YAMLs, for editors.",
        ("paretoflow schema -o sweep.schema.json",),
    ),
    "plugins": Verb(
        "paretoflow.cli.plugins:plugins",
        "List every objective, method, proposer, … that a YAML may name.",
        ("paretoflow plugins", "paretoflow plugins --format json"),
    ),
}

_ABOUT = """Pareto-front sweeps for language-model alignment.

One YAML names a base model, data, objectives that pull against each other and a budget; \
a sweep finds the front of adapters between them, and you pick one by preference."""
_BEGIN = """Begin with:

paretoflow check jobs/quickstart.yaml

paretoflow run jobs/quickstart.yaml

Exit status: 0 done, 1 failed, 2 a fault in what was given, 130 interrupted."""
_SECTION = re.compile(r"\n\n(Args|Returns|Raises|References):\n")


class _LazyGroup(ShownGroup):
    """Lists verbs by their summaries, and imports a verb's module when it is used."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, _command(name) if name in VERBS else command, rest


def _command(name: str) -> Any:
    """Import a verb and build its command, with the user's part of its docstring as help."""
    verb = VERBS[name]
    module, attribute = verb.target.split(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    app = typer.Typer(add_completion=False)
    paragraphs = _SECTION.split(getdoc(function) or verb.summary)[0].split("\n\n")
    text = "\n\n".join(map(_paragraph, paragraphs))
    label = "Example" if len(verb.examples) == 1 else "Examples"
    epilog = "\n\n".join((f"{label}:", *verb.examples))
    app.command(name, help=text, epilog=epilog, no_args_is_help=False)(function)
    return typer.main.get_command(app)


def _paragraph(text: str) -> str:
    r"""Return a paragraph of a docstring for click; one that begins with `\b` is unchanged."""
    if text.startswith("\\b\n"):
        return "\b\n" + text.removeprefix("\\b\n")
    return text.replace("\n", " ")


def _version(wanted: bool) -> None:
    if wanted:
        from paretoflow import __version__

        echo(f"paretoflow {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Accept the options before a verb, whose callbacks do the work."""


def build() -> Any:
    """Return the command line as a click group; no verb's module is imported."""
    app = typer.Typer(
        cls=_LazyGroup,
        no_args_is_help=True,
        help=_ABOUT,
        epilog=_BEGIN,
    )
    app.callback()(_root)
    for name, verb in VERBS.items():
        app.command(name, help=verb.summary)(lambda: None)
    return typer.main.get_command(app)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: Arguments without the program's name; None uses those of the process.
    """
    fit_streams()
    show = warnings.showwarning
    warnings.showwarning = shown_plainly(show)
    try:
        status = _status_of(argv)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        if error.filename is None:
            let_go(sys.stdout)
        if isinstance(error, BrokenPipeError):  # the reader closed the pipe, as `head` does
            return 1
        tell(output_error(error, str(error.filename or "standard output"), "the system refuses"))
        return 2
    finally:
        warnings.showwarning = show
    return status


def _status_of(argv: Sequence[str] | None) -> int:
    """Run a verb and return its exit status; print errors that the user can fix."""
    try:
        build()(args=None if argv is None else list(argv), prog_name="paretoflow")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except UserError as error:
        tell(error)
        return 2
    except (LedgerError, MethodError, ObjectiveError, WorkerError) as error:
        tell(error)  # an external fault: a traceback would not help
        return 1
    except ModuleNotFoundError as error:
        missing = missing_extra(error)
        if missing is None:
            raise
        tell(missing)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
