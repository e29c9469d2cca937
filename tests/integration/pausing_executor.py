"""An executor without torch that evaluates after every step and can pause: see `cheap_executor`."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from paretoflow.core.errors import RunInterrupted
from paretoflow.core.ids import digest_of_folder
from paretoflow.core.launch import Launch
from paretoflow.engine.messages import Report
from paretoflow.engine.runtime.protocols import Attempt
from paretoflow.engine.state.events import finished, paused
from paretoflow.ledger.fragments import write_fragment
from paretoflow.ledger.tables import Event
from paretoflow.methods.training.states import read_state
from tests.integration.cheap_executor import CheapExecutor

PAUSING = "tests.integration.pausing_executor:PausingExecutor"
STEP_S = 0.1


class PausingExecutor(CheapExecutor):
    """Run number n ends n tenths below the ideal, in equal steps from the base."""

    def _train(self, launch: Launch, attempt: Attempt) -> None:
        saved = self._files.saved_state(launch.run_id, launch.attempt)
        known = read_state(saved) if saved else None
        folder = self._files.attempt(launch.run_id, launch.attempt)
        steps = self._spec.method.steps
        for step in range(known.step + 1 if known else 1, steps + 1):
            time.sleep(STEP_S)
            attempt.progress(step)
            self._evaluate(launch, attempt, folder, step)
            if step < steps and attempt.stopping():
                self._pause(launch, attempt, folder, step)
                return

    def _pause(self, launch: Launch, attempt: Attempt, folder: Path, step: int) -> None:
        try:
            self._stop(folder, step)
        except RunInterrupted:
            why = attempt.suspended()
            row = paused(launch.run_id, launch.attempt, time.time(), why, step)
            self._tell(launch, attempt, [row])

    def _evaluate(self, launch: Launch, attempt: Attempt, folder: Path, step: int) -> None:
        adapter = folder / f"step-{step}"
        adapter.mkdir(exist_ok=True)
        (adapter / "adapter.txt").write_text(launch.run_id)
        best = 1.0 - int(launch.run_id[1:5]) / 10
        share = step / self._spec.method.steps
        events = [
            self._row(
                launch.run_id,
                launch.attempt,
                step,
                np.full(self._problem.m, best * share),
                path=self._files.name(adapter),
                digest=digest_of_folder(adapter),
            )
        ]
        if step == self._spec.method.steps:
            events.append(finished(launch.run_id, launch.attempt, time.time()))
        self._tell(launch, attempt, events)

    def _tell(self, launch: Launch, attempt: Attempt, events: list[Event]) -> None:
        write_fragment(self._folder, events)
        attempt.tell(Report(launch.run_id, launch.attempt, tuple(events)))
