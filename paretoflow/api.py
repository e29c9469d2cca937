"""The Python face of ParetoFlow: load a spec, run it, open a sweep, look at its front.

Mirrors the command line. Everything heavy is imported inside the function that needs it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretoflow.core.front_point import FrontPoint
from paretoflow.core.views import FrontView, SweepView, front_number

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from paretoflow.ledger.tables import FrontRecord
    from paretoflow.spec.sweep import SweepSpec
    from paretoflow.storage import Folder, Root


def load(
    path: Path | str,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    storage: str | None = None,
) -> SweepSpec:
    """Load a sweep YAML.

    Args:
        path: The file.
        overrides: Values put over the file's: `["stop.runs=8"]`, or `{"stop.runs": 8}`.
        storage: Root of sweeps, a folder or a URI, over the file's.

    Raises:
        SpecError: With every fault, each with its line and column.
    """
    from paretoflow.spec.load import load_spec

    if isinstance(overrides, Mapping):
        overrides = [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
    return load_spec(Path(path), overrides, storage)


def run(
    spec: SweepSpec | Path | str, storage: str | None = None, *, accept_change: bool = False
) -> Sweep:
    """Run a sweep to the end of its budget, or go on with it where its folder exists.

    Args:
        spec: A spec, or the path of a YAML.
        storage: Root of sweeps, a folder or a URI, over the spec's.
        accept_change: Whether to go on although what scores depend on has changed: data, the base,
            a scorer, a setting. It is recorded; evaluations before and after are not alike.

    Raises:
        ChangedInputsError: If that has changed, and is not accepted.
        UserError: For a spec, data or a model that cannot be used.
    """
    from paretoflow.engine.session.folder import sweep_root
    from paretoflow.engine.session.run import run_sweep
    from paretoflow.spec.paths import written_out

    if isinstance(spec, str | Path):
        spec = load(spec, storage=storage)
    elif storage is not None:
        spec = spec.model_copy(update={"storage": written_out(storage, "storage")})
    run_sweep(spec, accept_change=accept_change)
    return Sweep(sweep_root(spec))


def open_sweep(root: Root) -> Sweep:
    """Open a sweep to read it; it may be running.

    Args:
        root: Where it lives, `<storage>/<name>`: a folder, or a URI like `s3://bucket/sweeps/name`.

    Raises:
        SweepNotFoundError: If no sweep lives there.
    """
    from paretoflow.engine.read.sweep import read_spec

    read_spec(root)
    return Sweep(root)


class Sweep:
    """A sweep where it lives; every call reads the ledger anew and returns what is there now.

    Args:
        root: The place, `<storage>/<name>`.
    """

    def __init__(self, root: Root) -> None:
        from paretoflow.storage import as_folder

        self.root: Folder = as_folder(root)

    def __repr__(self) -> str:
        return f"Sweep({self.root.uri!r})"

    def view(self, snapshot: int | None = None) -> SweepView:
        """Return everything that is known, now or as of a front snapshot.

        Raises:
            SweepNotFoundError: If there is no sweep, or no evaluation yet.
            SnapshotNotFoundError: If there is no such snapshot.
        """
        from paretoflow.engine.read.sweep import read_sweep

        return read_sweep(self.root, snapshot)

    def front(self, snapshot: int | None = None) -> Front:
        """Return the front, now or as of a front snapshot."""
        return Front(self.view(snapshot).front, self.root)

    def evaluations(self, snapshot: int | None = None) -> pa.Table:
        """Return every evaluation as an Arrow table, per-prompt scores included."""
        from paretoflow.exporters.tables import evaluations_table

        return evaluations_table(self.view(snapshot))

    def report(self, out: Path | str | None = None, snapshot: int | None = None) -> Path:
        """Write the HTML report and return its path.

        Args:
            out: By default `report.html` in the sweep's folder, or `<name>.html` here for one in
                an object store.
            snapshot: As of a front snapshot.
        """
        from paretoflow.report.page import render
        from paretoflow.report.samples import answers_in
        from paretoflow.storage.output import write_file

        view = self.view(snapshot)
        home = self.root.local
        beside = home / "report.html" if home else Path(f"{view.front.sweep}.html")
        path = beside if out is None else Path(out)
        write_file(path, render(view, answers_in(self.root)).encode())
        return path

    def snapshots(self) -> tuple[FrontRecord, ...]:
        """Return every front snapshot that was recorded, oldest first."""
        from paretoflow.engine.read.sweep import open_sweep_folder

        return open_sweep_folder(self.root).fronts

    def export(
        self,
        out: Path | str,
        snapshot: int | None = None,
        *,
        force: bool = False,
        format: str = "folder",
    ) -> Path:
        """Write the front to a folder that stands alone, and return its path.

        Args:
            out: A new folder.
            snapshot: The front as of a front snapshot.
            force: Whether an earlier export at `out` is replaced.
            format: Tag of an exporter: folder, parquet, json, csv, arrow, hub-folder or vllm.

        Raises:
            UserError: If `out` is taken.
            PluginError: If no exporter has that tag.
            ModelError: If an adapter is not the one that was evaluated.
        """
        from paretoflow.exporters import exporter_of
        from paretoflow.report.picture import static_plot

        exporter, view = exporter_of(format), self.view(snapshot)
        exporter.export(view, Path(out), lambda: static_plot(view), force=force)
        return Path(out)


class Front:
    """A sequence of `FrontPoint`, best first in the first objective; shows itself in a notebook.

    Args:
        view: The front as it was read.
        root: Where the sweep and so its adapters are; None for a simulated one.
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
        """Return the point that a preference likes best among those that keep the constraints.

        Args:
            prefer: Importance of each objective by name.
            at_least: Lowest scores allowed, for maximised objectives.
            at_most: Highest scores allowed, for minimised objectives.

        Raises:
            UserError: If it cannot be answered; names the nearest point when none keeps the
                constraints.
        """
        from paretoflow.front.selection import pick

        return pick(self.view, prefer, at_least, at_most)

    def adapter(self, point: FrontPoint) -> Path | None:
        """Return the absolute path of a point's PEFT folder; None for the base model.

        From an object store it is copied once, to `~/.cache/paretoflow/adapters/<digest>`.

        Raises:
            ModelError: If it is gone, or is not the one that was evaluated.
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
        """Return one point as plain JSON values; a standard error that does not exist is null."""
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
        """Return one row for each point, with where it came from."""
        from paretoflow.exporters.tables import front_table

        return front_table(self.view)

    def to_pandas(self) -> pd.DataFrame:
        """Return `to_arrow` as a data frame.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        from paretoflow.core.errors import MissingExtraError

        try:
            import pandas  # noqa: F401 - only to say plainly that it is missing
        except ImportError as error:
            raise MissingExtraError.of("to_pandas", "pandas", "report") from error
        return self.to_arrow().to_pandas()

    def _repr_html_(self) -> str:
        from paretoflow.report.notebook import front_html

        return front_html(self.view)
