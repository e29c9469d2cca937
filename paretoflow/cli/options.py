"""Options and the console that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from paretoflow.cli.console import new_console


class Format(StrEnum):
    """Output format of a verb."""

    TEXT = "text"
    JSON = "json"


Job = Annotated[Path, typer.Argument(metavar="JOB", help="A sweep YAML.")]
SweepRoot = Annotated[
    str,
    typer.Argument(
        metavar="DIR|URI",
        help="Where the sweep lives, <storage>/<name>: a folder, or s3://bucket/….",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Put a value over the file's, for instance method.beta=0.2; may be given again.",
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="DIR|URI",
        help="Root of sweeps, a folder or s3://bucket/…, over the file's `storage`.",
    ),
]
NoFsync = Annotated[
    bool,
    typer.Option(
        "--no-fsync", help="Do not wait for the disk at each commit: faster, may lose the tail."
    ),
]
AcceptChange = Annotated[
    bool,
    typer.Option(
        "--accept-change",
        help="Go on although data, the base, a scorer or a library has changed since the objectives"
        " were frozen. It is recorded, and told in status, report and exports.",
    ),
]
FormatOption = Annotated[
    Format, typer.Option("--format", help="Print for a person, or as JSON for a program.")
]


def as_options(overrides: Sequence[str] | None) -> list[str]:
    """Return overrides as the words of a command."""
    return [word for change in overrides or () for word in ("--set", change)]


def plain_console() -> Console:
    """Return a console for tables: as wide as the terminal, or 120 columns for a file."""
    console = new_console()
    return console if console.is_terminal else new_console(width=120)
