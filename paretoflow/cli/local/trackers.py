"""Check that the clients of a sweep's trackers are installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from paretoflow.core.errors import MissingExtraError
from paretoflow.spec.positions import Fault
from paretoflow.spec.sweep import SweepSpec
from paretoflow.tracking import LIBRARIES


def tracker_findings(spec: SweepSpec) -> Iterator[Fault]:
    """Yield each tracker whose client is not installed here, where the driver is to run."""
    for index, tracker in enumerate(spec.tracking):
        library = LIBRARIES[tracker.type]
        if find_spec(library) is None:
            error = MissingExtraError.of(f"tracking with {tracker.type}", library, "track")
            yield Fault(("tracking", index, "type"), error.what, error.hint, code=error.code)
