"""A sweep in Python: load its spec, run it, open it, read it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretoflow.api.front import Front
from paretoflow.core.views import SweepView

if TYPE_CHECKING:
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
        overrides: Values that replace the file's: `["stop.runs=8"]`, or `{"stop.runs": 8}`.
        storage: Root of sweeps, a folder or a URI; replaces the file's.

    Raises:
        SpecError: Lists every fault, with its line and column.
    """
    from paretoflow.spec.load import load_spec

    if isinstance(overrides, Mapping):
        overrides = [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
    return load_spec(Path(path), overrides, storage)


def run(
    spec: SweepSpec | Path | str, storage: str | None = None, *, accept_change: bool = False
) -> Sweep:
    """Run a sweep to the end of its budget; resume it if its folder exists.

    Args:
        spec: A spec, or the path of a YAML.
        storage: Root of sweeps, a folder or a URI; replaces the spec's.
        accept_change: Whether to continue although the inputs of scores have changed: data, the
            base, a scorer, a setting. The change is recorded; evaluations before and after it are
            not comparable.

    Raises:
        ChangedInputsError: If the inputs have changed, and `accept_change` is not set.
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
        root: Folder of the sweep, `<storage>/<name>`: a path, or a URI like
            `s3://bucket/sweeps/name`.

    Raises:
        SweepNotFoundError: If there is no sweep.
    """
    from paretoflow.engine.read.stored_spec import read_spec

    read_spec(root)
    return Sweep(root)


class Sweep:
    """A stored sweep; every call reads the ledger again and returns the present state.

    Args:
        root: Folder of the sweep, `<storage>/<name>`.
    """

    def __init__(self, root: Root) -> None:
        from paretoflow.storage import as_folder

        self.root: Folder = as_folder(root)

    def __repr__(self) -> str:
        return f"Sweep({self.root.uri!r})"

    def view(self, snapshot: int | None = None) -> SweepView:
        """Return the state of the sweep, now or as of a front snapshot.

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

    def curves(self, run: str = "") -> pa.Table:
        """Return the training curves as an Arrow table: a row for each step of each attempt.

        The columns are run_id, attempt, step, time_s, and every number that a trainer logged,
        under the trainer's own names: `loss`, `grad_norm`, `learning_rate`, `reward`, `kl`, …
        A number is null at a step that did not log it, and not finite where the trainer's was not.

        Args:
            run: Id of one run, or the beginning of it; empty for all.

        Raises:
            UserError: If there is no such run.
            DamagedError: If the file of a curve is damaged.
        """
        from paretoflow.engine.read.curves import curves_of, run_of
        from paretoflow.engine.read.sweep import open_sweep_folder

        opened = open_sweep_folder(self.root)
        return curves_of(opened, run_of(opened, run) if run else "", strict=True).table

    def report(self, out: Path | str | None = None, snapshot: int | None = None) -> Path:
        """Write the HTML report and return its path.

        Args:
            out: File to write. By default `report.html` in the sweep's folder, or `<name>.html` in
                the working directory for a sweep in an object store.
            snapshot: Number of a front snapshot; None for the present state.
        """
        from paretoflow.engine.read.curves import curves_of
        from paretoflow.report.page import render
        from paretoflow.report.samples import answers_in
        from paretoflow.storage.output import write_file

        view = self.view(snapshot)
        home = self.root.local
        beside = home / "report.html" if home else Path(f"{view.front.sweep}.html")
        path = beside if out is None else Path(out)
        write_file(path, render(view, answers_in(self.root), curves_of(view)).encode())
        return path

    def snapshots(self) -> tuple[FrontRecord, ...]:
        """Return all recorded front snapshots, oldest first."""
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
        """Write the front to a self-contained folder, and return its path.

        Args:
            out: A new folder.
            snapshot: Number of a front snapshot; None for the present front.
            force: Whether to replace an earlier export at `out`.
            format: Tag of an exporter: folder, parquet, json, csv, arrow, hub-folder or vllm.

        Raises:
            UserError: If `out` exists.
            PluginError: If no exporter has that tag.
            ModelError: If an adapter differs from the evaluated one.
        """
        from paretoflow.exporters import exporter_of
        from paretoflow.report.picture import static_plot

        exporter, view = exporter_of(format), self.view(snapshot)
        exporter.export(view, Path(out), lambda: static_plot(view), force=force)
        return Path(out)
