"""Writes TensorBoard event files, by tensorboardX."""

from __future__ import annotations

from collections.abc import Sequence

from paretoflow.core.user import home_path
from paretoflow.spec.tracking import TensorboardTrackerSpec
from paretoflow.tracking import Point, TrackedSweep
from paretoflow.tracking.library import client_library


class TensorboardTracker:
    """One event file for each session of a sweep, in `<folder>/<sweep's key>`.

    A training run has its own folder in that of its sweep.

    A file is complete by itself: it begins with an instruction to TensorBoard to discard earlier
    files of its folder, so that a resumed sweep shows nothing twice.

    Raises:
        MissingExtraError: If tensorboardX is not installed.
    """

    def __init__(self, spec: TensorboardTrackerSpec) -> None:
        self._folder = home_path(spec.folder).absolute()
        self._library = client_library("tensorboardX", "TensorBoard")
        self._summaries = client_library("tensorboardX.proto.summary_pb2", "TensorBoard")

    def open(self, subject: TrackedSweep) -> int:
        """Begin a file; return 0, since a file has all evaluations."""
        place = (subject.group, subject.run) if subject.group else (subject.key,)
        folder = str(self._folder.joinpath(*place))
        self._writer = self._library.SummaryWriter(folder, purge_step=0)
        facts = "\n".join(f"| {name} | {value} |" for name, value in subject.facts.items())
        title = subject.run or subject.sweep
        self._writer.add_text("sweep", f"| {title} | |\n| --- | --- |\n{facts}", 0)
        return 0

    def log(self, points: Sequence[Point]) -> None:
        """Write one record for each point, and flush them to the disk."""
        of = self._summaries.Summary
        for point in points:
            values = [of.Value(tag=name, simple_value=x) for name, x in point.values.items()]
            self._writer.file_writer.add_summary(of(value=values), point.step, point.time_s)
        self._writer.flush()

    def close(self, *, ended: bool) -> None:
        """Close the file."""
        self._writer.close()
