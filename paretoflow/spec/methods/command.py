"""Training by a program of the user's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paretoflow.spec.methods.base import MethodBase

_Word = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]+$")]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class CommandMethodSpec(MethodBase):
    """Any program as the trainer: it is given a launch in a file, and hands back adapters in one.

    OpenRLHF, verl, torchtune or a script; `steps`, `batch_size` and the like are passed on.
    """

    type: Literal["command"]
    argv: tuple[_Word, ...] = Field(min_length=1)
    """The program and its arguments, with no shell in between. {request} and {result} stand for the
    files to read and to write, {python} for the interpreter that ParetoFlow runs in."""
    timeout_s: float = Field(86_400.0, gt=0)
    """Seconds after which a run's program is ended, which counts as a failure."""
    grace_s: float = Field(60.0, ge=0)
    """Seconds between asking the program to end (SIGTERM) and killing it with its children."""
    env: tuple[_Name, ...] = ()
    """Names of variables that the program is given beside PATH, HOME and their like; their values,
    for instance of a token, come from the environment of the worker group and never stand in a
    YAML."""
