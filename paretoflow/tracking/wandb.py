"""Reports to a Weights & Biases run, online or in offline files, through the wandb client."""

from __future__ import annotations

import os
from collections.abc import Sequence

from paretoflow.core.errors import UserError
from paretoflow.core.user import home_path
from paretoflow.spec.tracking import WandbTrackerSpec
from paretoflow.tracking import Point, TrackedSweep
from paretoflow.tracking.library import client_library


class WandbTracker:
    """One run for each sweep and each of its training runs, in one group, by derived ids.

    It reports nothing about the machine: no name, command line, packages, code, output or load.

    Raises:
        MissingExtraError: If wandb is not installed.
    """

    def __init__(self, spec: WandbTrackerSpec) -> None:
        self._spec = spec
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # report only to the tracker
        self._library = client_library("wandb", "Weights & Biases")

    def open(self, subject: TrackedSweep) -> int:
        """Begin or continue the run, and return its next step.

        Offline files cannot be continued: each session writes a file with all evaluations.

        Raises:
            UserError: If the run is online and there is no key.
        """
        online = self._spec.mode == "online"
        if online and not self._library.login(prompt=False, verify=False):
            raise UserError(
                "Weights & Biases has no key",
                hint="set WANDB_API_KEY, or write `mode: offline` and `wandb sync` later",
            )
        folder = home_path(self._spec.folder).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self._run = self._library.init(
            project=self._spec.project,
            entity=self._spec.entity,
            dir=folder,
            id=subject.key,
            name=subject.run or subject.sweep,
            group=subject.group or subject.key,
            job_type="run" if subject.group else "sweep",
            config=dict(subject.facts),
            mode=self._spec.mode,
            resume="allow" if online else None,
            reinit="create_new",
            settings=self._settings(),
        )
        return int(self._run.step) if online else 0

    def _settings(self) -> object:
        return self._library.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            disable_job_creation=True,
            host="",
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )

    def log(self, points: Sequence[Point]) -> None:
        """Pass the points to the client, which sends them in the background."""
        for point in points:
            self._run.log(dict(point.values), step=point.step)

    def close(self, *, ended: bool) -> None:
        """Wait until remaining data is sent or written."""
        self._run.finish(exit_code=0)
