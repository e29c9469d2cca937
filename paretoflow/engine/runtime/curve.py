"""Keeps the training curve of an attempt while it trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType

from paretoflow.core.curves import CurvePoint
from paretoflow.core.errors import LedgerError
from paretoflow.ledger.curves import CHUNK_STEPS, write_chunk
from paretoflow.storage import Folder, as_folder

FLUSH_S = 30.0
"""Seconds after which new steps are written: a worker that is killed loses at most these."""
_IMPATIENT_S = 1.0
"""Seconds that training waits for an object store that does not answer."""


class AttemptCurve:
    """Curve of one attempt, kept in memory and written every `FLUSH_S` seconds.

    Use it as a context: the rest is written at the end, however the attempt ended. Storage that
    refuses does not end a training: the steps are kept for the next time. Where it still refuses at
    the end of a failed attempt, its error says so.

    Args:
        folder: Folder of the sweep.
        attempt: Run and number of the attempt.
    """

    def __init__(self, folder: Folder, attempt: tuple[str, int]) -> None:
        self._folder = folder
        self._impatient = as_folder(folder, _IMPATIENT_S)
        self._attempt = attempt
        self._points: list[CurvePoint] = []
        self._number = 0
        self._unwritten = 0
        self._due_s = time.monotonic() + FLUSH_S

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add a step, and write what is due."""
        self._points.append(CurvePoint(step, time.time(), values))
        self._unwritten += 1
        if time.monotonic() >= self._due_s or len(self._points) == CHUNK_STEPS:
            self._try()

    def keep(self, patiently: Callable[[Callable[[], object]], None]) -> None:
        """Write all steps so far, as patiently as a result, before the result is reported."""
        patiently(lambda: self._write(self._folder))

    def __enter__(self) -> AttemptCurve:
        """Begin the curve."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Write the rest; name in the attempt's error what could not be written."""
        refusal = self._try()
        if refusal is not None and error is not None:
            error.add_note(f"the last {self._unwritten} steps of its curve are lost: {refusal}")

    def _try(self) -> Exception | None:
        self._due_s = time.monotonic() + FLUSH_S
        try:
            self._write(self._impatient)
        except (LedgerError, OSError) as error:  # kept: they are written with the next steps
            return error
        return None

    def _write(self, folder: Folder) -> None:
        """Write the steps, a file after another; a full file is not written again."""
        while self._unwritten:
            chunk = self._points[:CHUNK_STEPS]
            write_chunk(folder, self._attempt, self._number, chunk)
            if len(chunk) == CHUNK_STEPS:
                self._points = self._points[CHUNK_STEPS:]
                self._number += 1
            self._unwritten = len(self._points) if len(chunk) == CHUNK_STEPS else 0
