"""The executor of a worker: trains a policy for a launch, and measures it meanwhile."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from paretoflow import __version__
from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.ids import digest_of_folder, seed_of
from paretoflow.core.launch import Launch
from paretoflow.core.protocols import Parallel
from paretoflow.core.values import BASE_RUN_ID, ObjectiveInfo, Problem
from paretoflow.engine.failures.attribution import failure_in
from paretoflow.engine.messages import Failure, Report
from paretoflow.engine.runtime.protocols import Attempt
from paretoflow.engine.runtime.run_files import RunFiles
from paretoflow.engine.state.events import calibrated, evaluated, finished
from paretoflow.ledger.tables import Event
from paretoflow.scoring.preparing import Preparing
from paretoflow.storage import Root, as_folder
from tests.benchmarks.morl.policy import Policy
from tests.benchmarks.morl.spec import MorlSpec
from tests.benchmarks.morl.training import Trained, episode_returns, fresh_policy, train

ALONE = Parallel()


class MorlExecutor:
    """Trains and measures policies of one environment; see `engine.runtime.protocols.RunExecutor`.

    An attempt that was cut off begins again: runs take seconds. The rows hold environment steps
    where a language model's hold tokens, and episodes where they hold prompts.

    Args:
        spec: The job.
        root: The sweep's folder.
        threads: CPU threads for torch; None leaves its default.
        parallel: Unused: a run has one process.
    """

    def __init__(
        self, spec: MorlSpec, root: Root, threads: int | None = None, parallel: Parallel = ALONE
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._spec = spec
        self._files = RunFiles(as_folder(root), parallel)

    def prepare(self, mailbox: Preparing | None = None) -> list[Event]:
        """Freeze the objectives as the job declares them, and measure an untrained policy."""
        objectives = (
            ObjectiveInfo(o.name, o.direction, o.unit, *o.range, o.ref)
            for o in self._spec.objectives
        )
        problem = Problem(tuple(objectives))
        policy = fresh_policy(self._spec, seed_of(self._spec.seed, "untrained"))
        base = self._evaluation((BASE_RUN_ID, 0), Trained(0, 0, np.empty(0), False), policy, 0.0)
        return [calibrated(problem, time.time()), base]

    def ready(self, problem: Problem, mailbox: Preparing | None = None) -> None:
        """Do nothing: the objectives are in the job."""

    def execute(self, launch: Launch, attempt: Attempt) -> Failure | None:
        """Train the policy of a launch, and report each measured policy."""
        return failure_in(lambda: self._train(launch, attempt))

    def _train(self, launch: Launch, attempt: Attempt) -> None:
        parent = self._files.adapter(launch.parent) if launch.parent else None
        policy = fresh_policy(self._spec, launch.proposal.seed, parent)
        place = self._files.attempt(launch.run_id, launch.attempt)
        where, began = (launch.run_id, launch.attempt), time.perf_counter()
        for trained in train(self._spec, launch.proposal, policy):
            folder = place / f"step-{trained.step:04d}"
            policy.save(folder)
            events = [self._evaluation(where, trained, policy, began, folder)]
            if trained.final:
                events.append(finished(*where, time.time()))
            attempt.tell(Report(*where, tuple(events)))
            began = time.perf_counter()

    def _evaluation(
        self,
        where: tuple[str, int],
        trained: Trained,
        policy: Policy,
        began: float,
        folder: Path | None = None,
    ) -> Event:
        episodes = self._spec.environment.evaluations
        seed = seed_of(self._spec.seed, "eval")
        returns, played = episode_returns(self._spec, policy, episodes, seed)
        spread = returns.std(axis=0, ddof=1) if episodes > 1 else np.zeros(returns.shape[1])
        stderr = spread / np.sqrt(episodes)
        spent_s = time.perf_counter() - began if folder else 0.0
        found = Evaluation(
            scores=returns.mean(axis=0),
            stderr=stderr,
            prompt_scores=returns.T,
            n=episodes,
            cost=Cost(spent_s, spent_s, trained.played + played),
            weights=tuple(float(w) for w in trained.weights),
            path=self._files.name(folder) if folder else "",
            digest=digest_of_folder(folder) if folder else "",
            code=__version__,
        )
        return evaluated(found.named(*where, trained.step), time.time())
