"""Output to the terminal, for any encoding of the terminal and any text.

Control characters in names, answers and messages are shown as escapes, so that they have no effect;
a character that the terminal's encoding lacks is replaced.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any, TextIO

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from paretoflow.core.shown import shown, without_secrets

_PLAIN = {
    "±": "+-",
    "…": "...",
    "–": "-",  # noqa: RUF001
    "—": "-",
    "−": "-",  # noqa: RUF001
    "↑": "^",
    "↓": "v",
    "→": "->",
    "←": "<-",
    "≥": ">=",
    "≤": "<=",
    "×": "x",  # noqa: RUF001
    "·": "-",
    "•": "*",
    "‘": "'",  # noqa: RUF001
    "’": "'",  # noqa: RUF001
    "“": '"',
    "”": '"',
    "│": "|",
    "─": "-",
    "━": "-",
    "└": "+",
    "╸": "-",
    "╺": "-",
}
"""Replacements of ParetoFlow's own non-ASCII characters, for terminals without them."""
_ERRORS = "paretoflow"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c) or ascii(c)[1:-1] for c in found), error.end


codecs.register_error(_ERRORS, _replaced)


def fit_streams() -> None:
    """Make standard output, standard error and crash reports replace what they cannot encode."""
    sys.excepthook = _crashed
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    told = "".join(traceback.format_exception(kind, error, trace))
    echo(without_secrets(told), err=True, nl=False)


def fitting(text: str, encoding: str) -> str:
    """Return text with only the characters of an encoding.

    By hand: `±` is `+-` in ASCII, and stays in Latin-1.
    """
    return shown(text).encode(encoding, _ERRORS).decode(encoding)


def echo(text: str, *, err: bool = False, nl: bool = True, mark: str = "") -> None:
    """Print text fitted to the stream, optionally after a coloured mark."""
    stream = sys.stderr if err else sys.stdout
    if stream is not None:  # None if closed; otherwise click would guess another encoding
        typer.echo((f"{mark} " if mark else "") + shown(text), file=stream, nl=nl)


def echo_log(text: str) -> None:
    """Print a piece of a log unchanged, without its colours."""
    echo(_COLOURS.sub("", text), nl=False)


def new_console(width: int | None = None) -> Console:
    """Return a console that prints text as given, without highlighting."""
    return _Console(highlight=False, width=width)


class _Console(Console):
    """Applies `fitting` to every text: in tables, panels and live views."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(fitting(text, self.encoding), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control is None:
                yield Segment(fitting(segment.text, self.encoding), segment.style)
            else:
                yield segment


def let_go(stream: TextIO | None) -> None:
    """Discard a stream's unwritten output, which would fail again at exit."""
    if isinstance(stream, io.TextIOWrapper) and not stream.closed:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), stream.fileno())
