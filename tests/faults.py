"""Assertions on errors: their code, place, names and numbers, never their wording."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from paretoflow.core.errors import ParetoflowError

_PRINTED = re.compile(r"^error\[([a-z-]+)\]: (.*)(?:\n  hint: (.*))?", re.MULTILINE)


@contextmanager
def raises(code: str, *values: str) -> Iterator[pytest.ExceptionInfo[ParetoflowError]]:
    """Expect one of our errors in the block, with a given code and each of the values in it."""
    with pytest.raises(ParetoflowError) as caught:
        yield caught
    assert caught.value.code == code, caught.value
    missing = [value for value in values if value not in str(caught.value)]
    assert not missing, f"{missing} not in {caught.value}"


@dataclass(frozen=True)
class Printed:
    """An error as the command line prints it.

    Args:
        code: Its code.
        line: Place and fault, on one line.
        hint: Its hint; empty without a hint.
    """

    code: str
    line: str
    hint: str

    def __contains__(self, value: str) -> bool:
        """Return whether a name or number is in the error."""
        return value in f"{self.line}\n{self.hint}"


def printed(err: str) -> list[Printed]:
    """Return the errors that a command printed on standard error, in order."""
    return [Printed(code, line, hint) for code, line, hint in _PRINTED.findall(err)]


def only_printed(err: str, code: str, *values: str) -> Printed:
    """Return the only error that a command printed, with a given code and each of the values.

    It must have a hint and no traceback.
    """
    (fault,) = printed(err)
    assert fault.code == code, err
    missing = [value for value in values if value not in fault]
    assert not missing, f"{missing} not in {err}"
    assert fault.hint
    assert "Traceback" not in err
    return fault
