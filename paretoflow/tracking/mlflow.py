"""Reports to MLflow runs, on a tracking server or in a SQLite file, through MLflow's client."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from paretoflow.spec.tracking import MlflowTrackerSpec
from paretoflow.tracking import Point, TrackedSweep
from paretoflow.tracking.library import client_library

KEY_TAG = "paretoflow.key"
"""Tag by which a resumed sweep finds its MLflow run."""
_PARENT = "mlflow.parentRunId"
"""Tag by which MLflow shows a run below another."""
_BATCH = 1000
"""Largest number of metrics in one request to a server."""
_VALUE = 500
"""Largest number of characters in the value of a parameter."""


class MlflowTracker:
    """One MLflow run for each sweep, identified by a tag; its training runs are nested in it.

    Raises:
        MissingExtraError: If MLflow, or for a database its driver, is not installed.
    """

    def __init__(self, spec: MlflowTrackerSpec) -> None:
        self._spec = spec
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # report only to the tracker
        self._library = client_library("mlflow", "MLflow")
        self._entities = client_library("mlflow.entities", "MLflow")
        if "://" in spec.uri and not spec.uri.startswith(("http://", "https://")):
            client_library("sqlalchemy", "MLflow on a database")
            client_library("alembic", "MLflow on a database")

    def open(self, subject: TrackedSweep) -> int:
        """Create the run, or find it by its tag; return its number of evaluations."""
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # its messages would break a display
        self._client = self._library.MlflowClient(tracking_uri=self._spec.uri)
        experiment = self._experiment()
        self._count = "steps" if subject.group else "evaluations"
        found = self._found(experiment, subject.key)
        if found:
            self._run_id = found[0].info.run_id
            self._client.update_run(self._run_id, status="RUNNING")
            return int(found[0].data.metrics.get(self._count, 0))
        tags = {KEY_TAG: subject.key}
        for parent in self._found(experiment, subject.group) if subject.group else ():
            tags[_PARENT] = parent.info.run_id
        name = subject.run or subject.sweep
        self._run_id = self._client.create_run(experiment, tags=tags, run_name=name).info.run_id
        params = [self._entities.Param(k, v[:_VALUE]) for k, v in subject.facts.items()]
        self._client.log_batch(self._run_id, params=params)
        return 0

    def _found(self, experiment: str, key: str) -> Sequence[Any]:
        found: Sequence[Any] = self._client.search_runs([experiment], f"tags.`{KEY_TAG}` = '{key}'")
        return found

    def _experiment(self) -> str:
        name = self._spec.experiment
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def log(self, points: Sequence[Point]) -> None:
        """Send the points, a thousand metrics at a time."""
        metrics: list[Any] = [
            self._entities.Metric(name, value, round(1000 * point.time_s), point.step)
            for point in points
            for name, value in (*point.values.items(), (self._count, point.step + 1.0))
        ]
        for start in range(0, len(metrics), _BATCH):
            self._client.log_batch(self._run_id, metrics=metrics[start : start + _BATCH])

    def close(self, *, ended: bool) -> None:
        """Mark the run as finished, or as stopped until the sweep is resumed."""
        self._client.set_terminated(self._run_id, "FINISHED" if ended else "KILLED")
