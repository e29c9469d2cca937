"""Training by a user's program."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paretoflow.spec.methods.base import MethodBase

_Word = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]+$")]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class CommandMethodSpec(MethodBase):
    """Any program as the trainer: it reads the launch from a file and returns adapters.

    OpenRLHF, verl, torchtune or a script; `steps`, `batch_size` and the like are passed on.
    """

    type: Literal["command"]
    argv: tuple[_Word, ...] = Field(min_length=1)
    """The program and its arguments, with no shell in between. {request} and {result} stand for the
    files to read and to write, {python} for the interpreter that ParetoFlow runs in."""
    timeout_s: float = Field(86_400.0, gt=0)
    """Seconds after which a run's program is ended and counts as failed."""
    grace_s: float = Field(60.0, ge=0)
    """Seconds between SIGTERM and SIGKILL of the program and its children."""
    env: tuple[_Name, ...] = ()
    """Names of environment variables that the program gets beside standard ones such as PATH and
    HOME. Their values, for instance a token, come from the worker group's environment and are never
    in a YAML."""
