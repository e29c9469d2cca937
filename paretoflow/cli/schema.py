"""`paretoflow schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from paretoflow.cli.console import echo
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage.output import write_file


def schema(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to a file instead.")
    ] = None,
) -> None:
    """Print the JSON schema of sweep YAMLs.

    Editors with the YAML language server complete and check a job that begins with the line
    `# yaml-language-server: $schema=sweep.schema.json`.
    """
    text = json.dumps(sweep_schema(), indent=2, ensure_ascii=False)
    if output is None:
        echo(text)
        return
    write_file(output, f"{text}\n".encode(), parents=False)
    echo(f"wrote {output}")


def sweep_schema() -> dict[str, object]:
    """Return the JSON schema of `SweepSpec`, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **SweepSpec.model_json_schema(),
        "title": "A ParetoFlow sweep",
    }
