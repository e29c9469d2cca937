"""Worker groups without torch: an executor that sleeps for each step, and fails on request.

It writes what the real one writes: adapters, whole trainer states, fragments. A run's score is a
point on a concave front that depends on the proposal alone, so a disturbed sweep can be compared
with one that was not.

What goes wrong is ordered by files in `<root>/orders`, named `<fault>` or `<fault>-<anything>`;
each happens once, at the first step that any rank makes from there on:

    exit     the process ends at once
    freeze   the process stops answering (SIGSTOP)
    hang     the run makes no more steps, while its process answers
    notice   the process gets SIGTERM
    raise    the method raises
    memory   the method runs out of memory
    load     loading fails (looked for when a rank loads)
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from paretoflow.core.cost import Cost
from paretoflow.core.errors import MethodError, ModelError, RunInterrupted
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.ids import digest_of_folder
from paretoflow.core.launch import Launch
from paretoflow.core.protocols import Parallel
from paretoflow.core.values import BASE_RUN_ID, Problem
from paretoflow.engine.failures.attribution import failure_in
from paretoflow.engine.messages import Failure, Report
from paretoflow.engine.runtime.protocols import Attempt
from paretoflow.engine.runtime.run_files import RunFiles
from paretoflow.engine.state.events import calibrated, evaluated, finished
from paretoflow.ledger.fragments import write_fragment
from paretoflow.ledger.tables import Event
from paretoflow.methods.training.states import Layout, TrainerState, read_state, seal, state_folder
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.scoring.preparing import Preparing
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import as_folder

NO_FACTS: Mapping[str, Any] = MappingProxyType({})
CHEAP = "tests.integration.cheap_executor:CheapExecutor"
PACE = "pace.json"
"""In the sweep's folder: seconds for each step, {"step_s": …}, and how many tenths of a second
preparing takes, {"stage": …}; no waiting without it.
"""


class CheapExecutor:
    """See `paretoflow.engine.runtime.protocols.RunExecutor`."""

    def __init__(
        self, spec: SweepSpec, root: str, threads: int, parallel: Parallel | None = None
    ) -> None:
        self._spec = spec
        self._folder = as_folder(root)
        self._parallel = parallel or Parallel()
        self._files = RunFiles(self._folder, self._parallel)
        if self._order("load"):
            raise ModelError("the base is not on this machine")
        self._problem = declared_problem(spec.objectives)

    def prepare(self, mailbox: Preparing | None = None) -> list[Event]:
        self._prepare_slowly(mailbox)
        row = self._row(BASE_RUN_ID, 0, 0, np.zeros(self._problem.m))
        return [calibrated(self._problem, time.time()), row]

    def _prepare_slowly(self, mailbox: Preparing | None) -> None:
        count = int(self._pace("stage"))
        for done in range(1, count + 1):
            time.sleep(0.1)
            assert mailbox is not None
            mailbox.doing("sampling answers", done, count)
            self._folder.write("stage.txt", str(done).encode())
            if mailbox.stopping():
                raise RunInterrupted("stopped while sampling answers")

    def ready(self, problem: Problem, mailbox: Preparing | None = None) -> None:
        self._problem = problem

    def execute(self, launch: Launch, attempt: Attempt) -> Failure | None:
        return failure_in(lambda: self._train(launch, attempt))

    def _train(self, launch: Launch, attempt: Attempt) -> None:
        saved = self._files.saved_state(launch.run_id, launch.attempt)
        known = read_state(saved) if saved else None
        done = known.step if known else 0
        folder = self._files.attempt(launch.run_id, launch.attempt)
        (folder / "pid").write_text(str(os.getpid()))
        for step in range(done + 1, self._spec.method.steps + 1):
            time.sleep(self._pace_s())
            self._misfortune()
            attempt.progress(step)
            if step == self._spec.method.steps:
                break
            if attempt.stopping():
                self._stop(folder, step)
        if self._parallel.rank == 0:
            self._finish(launch, attempt, folder, done)

    def _stop(self, folder: Path, step: int) -> None:
        state = state_folder(folder, step)
        state.mkdir(parents=True, exist_ok=True)
        (state / "step.txt").write_text(str(step))
        if self._parallel.rank == 0:
            seal(TrainerState(state, step, Layout.of(self._parallel), ()), ["step.txt"])
        raise RunInterrupted(f"stopped after step {step}", state=state, step=step)

    def _finish(self, launch: Launch, attempt: Attempt, folder: Path, resumed: int) -> None:
        adapter = folder / "step-final"
        adapter.mkdir(exist_ok=True)
        (adapter / "adapter.txt").write_text(launch.run_id)
        angle = float(launch.proposal.weights.array[0]) * np.pi / 2
        scores = 1.0 - np.array([np.sin(angle), np.cos(angle)])
        facts = {
            "pid": os.getpid(),
            "resumed_from": resumed,
            "factor": launch.accumulation_factor,
            "node": os.environ.get("RAY_NODE_IP_ADDRESS", ""),
        }
        row = self._row(
            launch.run_id,
            launch.attempt,
            self._spec.method.steps,
            scores,
            weights=launch.proposal.weights.values,
            path=self._files.name(adapter),
            digest=digest_of_folder(adapter),
            payload=facts,
        )
        events = [row, finished(launch.run_id, launch.attempt, time.time())]
        self._files.keep(adapter)
        write_fragment(self._folder, events)
        attempt.tell(Report(launch.run_id, launch.attempt, tuple(events)))
        self._files.finish(launch.run_id)

    def _row(
        self,
        run_id: str,
        attempt: int,
        step: int,
        scores: np.ndarray,
        payload: Mapping[str, Any] = NO_FACTS,
        **fields: Any,
    ) -> Event:
        found = Evaluation(
            scores=scores,
            stderr=np.zeros_like(scores),
            prompt_scores=np.repeat(scores[:, None], 4, 1),
            n=4,
            cost=Cost(0.1, 0.1, 10),
            **fields,
        )
        row = evaluated(found.named(run_id, attempt, step), time.time())
        return replace(row, payload={**row.payload, **payload})

    def _pace_s(self) -> float:
        return self._pace("step_s")

    def _pace(self, of: str) -> float:
        try:
            return float(json.loads(self._folder.read(PACE)).get(of, 0.0))
        except FileNotFoundError:
            return 0.0

    def _misfortune(self) -> None:
        """Execute one order, in the sequence of the list above, if there is any."""
        faults: dict[str, Callable[[], None]] = {
            "exit": lambda: os._exit(1),
            "freeze": self._freeze,
            "hang": lambda: time.sleep(600),
            "notice": self._notice,
            "raise": self._raise,
            "memory": self._fill,
        }
        for fault, happen in faults.items():
            if self._order(fault):
                happen()
                return

    def _freeze(self) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(600)  # this thread may run on for a moment

    def _notice(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.5)

    def _raise(self) -> None:
        raise MethodError("the method has had enough")

    def _fill(self) -> None:
        raise MemoryError("the method is full")

    def _order(self, fault: str) -> bool:
        local = self._folder.local
        for order in sorted((local / "orders").glob(f"{fault}*")) if local else ():
            try:
                order.unlink()  # of two ranks one gets it
            except FileNotFoundError:
                continue
            return True
        return False
