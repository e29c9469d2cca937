"""Print errors: in a few lines, with hints, without secrets or control characters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from paretoflow.cli.console import echo
from paretoflow.core.errors import MissingExtraError, ParetoflowError, RenamedKeyWarning, SpecError
from paretoflow.core.shown import shown, without_secrets

SHOWN_FAULTS = 40
"""Maximum faults of a file that are printed."""
_EXTRAS = {
    "ray": {"ray"},
    "report": {"matplotlib", "pandas", "plotly"},
    "train": {"accelerate", "datasets", "peft", "rouge_score", "torch", "transformers", "trl"},
}

_UsageError: Any = typer.BadParameter.__base__
"""Error of click for a wrong command line."""


class ShownGroup(TyperGroup):
    """A group of commands that repeats no secret of a command line that it refuses."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Parse the arguments before the verb."""
        try:
            return super().make_context(*args, **options)
        except _UsageError as error:
            raise _shown(error) from None

    def invoke(self, ctx: Any) -> Any:
        """Parse the arguments after the verb, and run it."""
        try:
            return super().invoke(ctx)
        except _UsageError as error:
            raise _shown(error) from None


def _shown(error: Any) -> Any:
    told = without_secrets(error.format_message())
    shorter = _UsageError(shown(told), ctx=error.ctx)
    shorter.exit_code = error.exit_code
    return shorter


def tell(error: ParetoflowError) -> None:
    """Print an error, or each of the faults in it."""
    faults = error.faults if isinstance(error, SpecError) else (error,)
    for fault in faults[:SHOWN_FAULTS]:
        place = f"{fault.where}: " if fault.where else ""
        echo(f"{place}{fault.what}", err=True, mark=_mark(fault))
        if fault.hint:
            echo(f"  hint: {fault.hint}", err=True)
    if len(faults) > 1:
        first = f", of which the first {SHOWN_FAULTS} are shown" * (len(faults) > SHOWN_FAULTS)
        echo(f"{len(faults)} faults in {error.where}{first}", err=True)


def _mark(error: ParetoflowError) -> str:
    """Return the start of an error's line: `error[spec-unknown-key]:`."""
    return typer.style(f"error[{error.code}]:", fg="red", bold=True)


def missing_extra(error: ModuleNotFoundError) -> MissingExtraError | None:
    """Return the error for a missing optional library; None for other modules."""
    library = (error.name or "").partition(".")[0]
    extra = next((name for name, libraries in _EXTRAS.items() if library in libraries), None)
    if extra is None:
        return None
    wanted = "report" if extra == "report" else "train,ray"
    return MissingExtraError.of("this command", library, wanted)


def shown_plainly(show: Callable[..., None]) -> Callable[..., None]:
    """Return a function that shows warnings for the user, without a line of our code."""

    def shown(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, RenamedKeyWarning):
            echo(str(message), err=True, mark=typer.style("warning:", fg="yellow", bold=True))
        else:
            show(message, category, *where, **more)

    return shown
