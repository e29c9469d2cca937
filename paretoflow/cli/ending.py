"""Final message and exit status of commands that run a sweep."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from paretoflow.cli.console import echo

if TYPE_CHECKING:
    from paretoflow.engine.session.ending import Ending

TAIL = 12
"""Lines of a traceback that are shown, from its end."""


def conclude(ending: Ending, again: Sequence[str] = ()) -> None:
    """Print failures on standard error, and exit with an error if the sweep failed.

    Args:
        ending: How the sweep ended.
        again: Words of the command that resumes the sweep; empty where nothing is kept.

    Raises:
        Exit: With 1, if the sweep stopped early after equal failures, or no run finished.
    """
    trouble, failure = ending.trouble, ending.failure
    if not trouble:
        if ending.failed:
            runs = ending.failed + ending.finished + ending.unfinished
            echo(f"note: {ending.failed} of {runs} runs failed, the last {_said(ending)}", err=True)
        return
    echo(trouble, err=True, mark=typer.style("error:", fg="red", bold=True))
    if failure and not ending.again:
        echo(f"  the last failure, {_said(ending)}", err=True)
    lines = failure.details.rstrip().splitlines()
    if lines:
        cut = "the end of its traceback" if len(lines) > TAIL else "its traceback"
        echo(f"  {cut}:", err=True)
        for line in lines[-TAIL:]:
            echo(f"    {line}", err=True)
    if again:
        made = "repeats the runs that failed alike" if ending.again else "continues"
        hint = f"remove the cause; this command {made}: {shlex.join(again)}"
        echo(f"  hint: {hint}", err=True)
    raise typer.Exit(1)


def _said(ending: Ending) -> str:
    failure = ending.failure
    code = f" ({failure.code})" if failure.code else ""
    return f"at the boundary {failure.boundary}{code}: {failure.message}"
