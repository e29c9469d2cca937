"""Options that several verbs share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a verb prints."""

    TEXT = "text"
    JSON = "json"


Job = Annotated[Path, typer.Argument(metavar="JOB", help="A sweep YAML.")]
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
    typer.Option("--storage", metavar="DIR", help="Root folder of sweeps, over the file's `storage`."),
]
FormatOption = Annotated[
    Format, typer.Option("--format", help="Print for a person, or as JSON for a program.")
]
