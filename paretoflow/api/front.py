"""A front in Python: a sequence of points to inspect, pick from and convert to tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretoflow.core.front_point import FrontPoint
from paretoflow.core.views import FrontView, front_number

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from paretoflow.storage import Folder, Root


class Front:
    """A sequence of `FrontPoint`, best first in the first objective; displayed in notebooks.

    Args:
        view: The front as read from the sweep.
        root: Folder of the sweep with its adapters; None for a simulated sweep.
    """

    def __init__(self, view: FrontView, root: Root | None = None) -> None:
        from paretoflow.storage import as_folder

        self.view = view
        self.root: Folder | None = None if root is None else as_folder(root)

    def __len__(self) -> int:
        return len(self.view.points)

    def __iter__(self) -> Iterator[FrontPoint]:
        return iter(self.view.points)

    def __getitem__(self, index: int) -> FrontPoint:
        return self.view.points[index]

    def __repr__(self) -> str:
        size = f"{len(self)} points, hypervolume {self.hypervolume:.4g}"
        return f"<Front of {self.view.sweep!r}: {size}>"

    @property
    def points(self) -> tuple[FrontPoint, ...]:
        """Return the points."""
        return self.view.points

    @property
    def hypervolume(self) -> float:
        """Return the hypervolume as reported, in the product of the objectives' units."""
        return self.view.hypervolume

    def pick(
        self,
        prefer: Mapping[str, float] | None = None,
        at_least: Mapping[str, float] | None = None,
        at_most: Mapping[str, float] | None = None,
    ) -> FrontPoint:
        """Return the best point under a preference, among those that keep the constraints.

        Args:
            prefer: Importance of each objective by name.
            at_least: Lowest scores allowed, for maximised objectives.
            at_most: Highest scores allowed, for minimised objectives.

        Raises:
            UserError: If an argument is invalid, or no point keeps the constraints; then it names
                the nearest point.
        """
        from paretoflow.front.selection import pick

        return pick(self.view, prefer, at_least, at_most)

    def adapter(self, point: FrontPoint) -> Path | None:
        """Return the absolute path of a point's PEFT folder; None for the base model.

        From an object store it is copied once, to `~/.cache/paretoflow/adapters/<digest>`.

        Raises:
            ModelError: If it is gone, or differs from the evaluated one.
        """
        from paretoflow.storage.cache import cached_adapter

        if self.root is None or not point.path:
            return None
        return cached_adapter(self.root, point.path, point.digest).resolve()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, as `paretoflow front --format json` prints them."""
        view = self.view
        return {
            "sweep": view.sweep,
            **front_number(view.snapshot, view.after),
            "ref_point": [o.ref for o in view.problem.objectives],
            "hypervolume": view.hypervolume,
            "hypervolume_corrected": view.hypervolume_corrected,
            "hypervolume_ci": list(view.hypervolume_ci),
            **({"notes": list(view.notes)} if view.notes else {}),
            "objectives": [
                {"name": o.name, "direction": o.direction.value} for o in view.problem.objectives
            ],
            "points": [self.point_dict(p) for p in view.points],
            "runs": {"finished": view.finished, "failed": view.failed, "pending": view.pending},
        }

    def point_dict(self, point: FrontPoint) -> dict[str, Any]:
        """Return one point as plain JSON values; a missing standard error is null."""
        names = self.view.problem.names
        errors = (e if math.isfinite(e) else None for e in point.stderr)
        return {
            "snapshot_id": point.snapshot_id,
            "run_id": point.run_id,
            "kind": point.kind,
            "merge": point.merge and point.merge.to_dict(),
            "settings": dict(point.settings),
            "weights": None if point.weights is None else list(point.weights),
            "scores": dict(zip(names, point.scores, strict=True)),
            "stderr": dict(zip(names, errors, strict=True)),
            "n": point.n,
            "condition": None if point.condition is None else dict(point.condition),
            "doubt": round(point.doubt, 4),
            "rival": point.rival or None,
        }

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table with one row for each point, with its run and launch."""
        from paretoflow.exporters.tables import front_table

        return front_table(self.view)

    def to_pandas(self) -> pd.DataFrame:
        """Return `to_arrow` as a data frame.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        from paretoflow.core.errors import MissingExtraError

        try:
            import pandas  # noqa: F401 - only for a plain error if it is missing
        except ImportError as error:
            raise MissingExtraError.of("to_pandas", "pandas", "report") from error
        return self.to_arrow().to_pandas()

    def _repr_html_(self) -> str:
        from paretoflow.report.notebook import front_html

        return front_html(self.view)
