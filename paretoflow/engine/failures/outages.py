"""Distinguish outages of a run's environment (disk, network, storage, device) from its own faults.

Only the error and its causes are examined: types where they are specific, error numbers of the
operating system, HTTP statuses, and messages of libraries that keep neither. No library is imported
for that.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from paretoflow.core.causes import chain_of
from paretoflow.core.errors import (
    FencedError,
    LedgerError,
    ObjectiveError,
    ParetoflowError,
    SchemaVersionError,
    StorageError,
)
from paretoflow.core.status import Boundary
from paretoflow.engine.failures import outage_words as words
from paretoflow.storage.patience import passes

FULL_BYTES = 2**20
"""A disk with fewer free bytes counts as the full disk, where an error does not name it."""
_LONGEST = 20_000
"""Number of characters of a message that are examined."""
_OWN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    TypeError,
    ValueError,
)
"""Errors of the program itself; their messages may quote an answer, so they are not searched."""


@dataclass(frozen=True)
class Outage:
    """An outage of a disk, network, storage or device that a run needs.

    Args:
        what: The fault, with its place where it is known: `no space left on /tmp/a`.
        boundary: Boundary of the fault.
    """

    what: str
    boundary: Boundary


def outage_of(error: BaseException, places: Sequence[Path] = ()) -> Outage | None:
    """Return the outage that caused an error; None where the fault is the run's own.

    Args:
        error: The error, with its causes.
        places: Folders that the run writes to: the full one is named where the error names none.
    """
    scored = isinstance(error, ObjectiveError)
    for each in chain_of(error):
        found = _ours(each) if isinstance(each, ParetoflowError) else _foreign(each, scored=scored)
        if found is not None:
            boundary = Boundary.OBJECTIVE if scored else found.boundary
            return replace(_placed(found, each, places), boundary=boundary)
    return None


def _ours(error: ParetoflowError) -> Outage | None:
    storage = isinstance(error, StorageError | LedgerError)
    if not storage or isinstance(error, FencedError | SchemaVersionError):
        return None
    return Outage(error.what, Boundary.STORE)


def _foreign(error: BaseException, *, scored: bool) -> Outage | None:
    for tell in (_by_number, _by_type, _by_words):
        found = tell(error)
        if found is not None:
            return found
    if not isinstance(error, OSError) or isinstance(error, ssl.SSLError) or scored:
        return None
    what = words.DENIED.get(error.errno or 0)
    return Outage(what, Boundary.STORE) if what else None


def _by_number(error: BaseException) -> Outage | None:
    if not isinstance(error, OSError) or isinstance(error, socket.gaierror):
        return None
    number = error.errno or 0
    if number in words.DISK:
        return Outage(words.DISK[number], Boundary.STORE)
    what = words.MACHINE.get(number) or words.NETWORK.get(number)
    return Outage(what, Boundary.WORKER) if what else None


def _by_type(error: BaseException) -> Outage | None:
    if isinstance(error, socket.gaierror):
        return Outage("a name cannot be looked up", Boundary.WORKER)
    if isinstance(error, TimeoutError):
        return Outage("no answer in time", Boundary.WORKER)
    if isinstance(error, ConnectionError):
        return Outage("the connection broke", Boundary.WORKER)
    kinds = [kind for kind in type(error).__mro__ if words.LIBRARIES.match(kind.__module__)]
    status = _status(error) if kinds else None
    if status is not None:
        what = f"a server answers with HTTP status {status}"
        return Outage(what, Boundary.WORKER) if status in words.STATUSES else None
    told = next((kind for kind in kinds if words.TYPES.search(kind.__name__)), None)
    if told is None:
        return None
    return Outage(f"{told.__module__.partition('.')[0]} says {told.__name__}", Boundary.WORKER)


def _status(error: BaseException) -> int | None:
    """Return the HTTP status in an error of a client library."""
    response = getattr(error, "response", None)
    held = [
        getattr(e, n, None) for e in (error, response) for n in ("status_code", "status", "code")
    ]
    if isinstance(response, dict):  # botocore's form
        held.append(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    return next((s for s in held if isinstance(s, int) and 100 <= s < 600), None)


def _by_words(error: BaseException) -> Outage | None:
    if isinstance(error, _OWN):
        return None
    text = str(error)[:_LONGEST]
    for pattern, what, boundary in words.WORDS:
        if re.search(pattern, text):
            return Outage(what, boundary)
    network = isinstance(error, OSError) and error.errno is None and passes(error)
    return Outage("storage or network is away", Boundary.STORE) if network else None


def _placed(found: Outage, error: BaseException, places: Sequence[Path]) -> Outage:
    """Add the place to an outage: from the error, or from a disk that is full now."""
    if isinstance(error, ParetoflowError):
        return replace(found, what=f"{found.what} ({error.where})") if error.where else found
    place = getattr(error, "filename", None)
    if not place and found.what in (words.FULL, words.UNWRITTEN):
        place = next((p for p in (*places, Path(tempfile.gettempdir())) if _is_full(p)), None)
        found = replace(found, what=words.FULL) if place else found
    return (
        replace(found, what=f"{found.what} on {os.fspath(place)}")
        if isinstance(place, str | Path)
        else found
    )


def _is_full(place: Path) -> bool:
    try:
        left = os.statvfs(place)
    except OSError:
        return False
    return left.f_bavail * left.f_frsize < FULL_BYTES or (left.f_files > 0 and left.f_favail == 0)
