"""Read the training curves of a sweep, and say why a run has none."""

from __future__ import annotations

import difflib

from paretoflow.core.errors import DamagedError, UserError
from paretoflow.core.status import RunStatus
from paretoflow.core.values import LaunchKind, RunRecord
from paretoflow.core.views import CurvesView, SweepView
from paretoflow.engine.read.sweep import OpenedSweep
from paretoflow.ledger.curves import read_curves

_NOTHING = {
    LaunchKind.MERGE: "it mixed adapters and trained nothing",
    LaunchKind.REEVALUATE: "it evaluated a checkpoint again and trained nothing",
}


def curves_of(
    sweep: OpenedSweep | SweepView, run_id: str = "", *, strict: bool = False
) -> CurvesView:
    """Return the curves of a sweep's runs.

    Args:
        sweep: The sweep, as read.
        run_id: Only this run; empty for all.
        strict: Raise for a damaged file; by default it is left out and named.

    Raises:
        DamagedError: If a file is damaged and `strict` is set.
        StorageError: If storage refuses access.
    """
    damaged: list[str] = []

    def note(error: DamagedError) -> None:
        damaged.append(f"{error.where}: {error.what}")

    table = read_curves(sweep.root, run_id, None if strict else note)
    known = set(table["run_id"].to_pylist())
    runs = sweep.runs if isinstance(sweep, SweepView) else sweep.state.runs.values()
    method = str(sweep.spec.get("method", {}).get("type", ""))
    absent = {
        run.run_id: why_absent(run, method)
        for run in runs
        if run.run_id not in known and run_id in ("", run.run_id)
    }
    return CurvesView(table, absent, tuple(damaged))


def run_of(opened: OpenedSweep, name: str) -> str:
    """Return the id of the run that begins with a name.

    Raises:
        UserError: If there is none, or several.
    """
    known = list(opened.state.runs)
    found = [run for run in known if run == name] or [r for r in known if r.startswith(name)]
    if len(found) == 1:
        return found[0]
    near = difflib.get_close_matches(name, known, 1, cutoff=0.3)
    raise UserError(
        f"{len(found) or 'no'} runs of the sweep begin with {name!r}",
        opened.root.uri,
        f"did you mean {near[0]}?" if near else "`paretoflow curves DIR` lists the runs",
        code="usage-option",
    )


def why_absent(run: RunRecord, method: str) -> str:
    """Return why a run has no curve, for the tag of the sweep's method."""
    if run.proposal.kind in _NOTHING:
        return _NOTHING[run.proposal.kind]
    if run.status is RunStatus.PENDING and run.attempt == 0:
        return "it has not begun"
    if run.status is RunStatus.RUNNING:
        return "nothing is written yet: steps are written every 30 s and at each checkpoint"
    if method == "command":
        return "its program reported neither a curve nor metrics"
    if run.status is RunStatus.FAILED:
        return "it failed before its first step, or before curves were kept"
    return "it logged no step, or ran before curves were kept"
