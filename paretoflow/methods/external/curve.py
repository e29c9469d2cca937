"""The training curve that a program may write: a JSON object a line, read while it trains."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paretoflow.core.errors import UserError
from paretoflow.core.shown import first_line

_TAKEN = ("run_id", "attempt", "time_s")
_HINT = "`pydoc paretoflow.methods.external` shows what a program writes"


class _Line(BaseModel):
    """One line: the step, and every other key a number, finite or not."""

    model_config = ConfigDict(extra="allow", strict=True)
    __pydantic_extra__: dict[str, float] = Field(init=False)

    step: int = Field(ge=1)


class CurveFile:
    """Reads the lines that a program has added to its curve.

    A last line without its end is left for the next time.

    Args:
        path: The file; it need not exist.
        log: Called with the step and the numbers of each new line.
    """

    def __init__(self, path: Path, log: Callable[[int, Mapping[str, float]], None]) -> None:
        self._path = path
        self._log = log
        self._at = 0
        self._lines = 0
        self._step = 0

    @property
    def empty(self) -> bool:
        """Return whether no line was read yet."""
        return self._lines == 0

    def read(self) -> None:
        """Pass on the new lines.

        Raises:
            UserError: If a line is no JSON object of numbers, or its step is not above the last.
        """
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._at)
                fresh = stream.read()
        except FileNotFoundError:
            return
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            self._lines += 1
            self._take(line)

    def _take(self, text: bytes) -> None:
        try:
            line = _Line.model_validate(json.loads(text))
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            place = ".".join(map(str, fault["loc"])) or "the whole"
            raise self._fault(f"{place}: {fault['msg']}") from error
        except (ValueError, RecursionError) as error:
            raise self._fault(f"no JSON: {first_line(error)}") from error
        values = dict(line.__pydantic_extra__)
        if taken := [name for name in _TAKEN if name in values]:
            raise self._fault(f"a value cannot be called {taken[0]}")
        if line.step <= self._step:
            raise self._fault(f"got step {line.step} after {self._step}; allowed: growing ones")
        self._step = line.step
        self._log(line.step, values)

    def _fault(self, what: str) -> UserError:
        where = f"{self._path}:{self._lines}"
        return UserError(f"the program's curve: {what}", where, _HINT, code="usage-result")
