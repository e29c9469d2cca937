"""The executor: keeps the base and shared tables loaded between runs, and executes launches.

It trains, evaluates each checkpoint and writes the results, without Ray. Every result is durable in
a fragment before it is reported. With several workers, all train, and the first evaluates and
writes.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from paretoflow.core.errors import RunInterrupted, WorkerError
from paretoflow.core.launch import Launch, PriorEvaluation
from paretoflow.core.protocols import AttemptContext, Checkpoint, Parallel
from paretoflow.core.values import FloatArray, Problem, Proposal
from paretoflow.engine.failures.attribution import failure_in
from paretoflow.engine.messages import Failure, Report
from paretoflow.engine.runtime.curve import AttemptCurve
from paretoflow.engine.runtime.early_stop import EarlyStopping, settles_itself
from paretoflow.engine.runtime.inputs import compared
from paretoflow.engine.runtime.loaded import loaded, require_trainable
from paretoflow.engine.runtime.protocols import Attempt, asked_to_stop
from paretoflow.engine.runtime.results import Results, points_of
from paretoflow.engine.runtime.run_files import RunFiles
from paretoflow.engine.runtime.run_setup import RunSetup, RunSetups
from paretoflow.engine.runtime.stage import Lessons, Pulse, Stage, notes_of
from paretoflow.engine.state.events import calibrated, paused
from paretoflow.engine.state.reevaluation import require_alike
from paretoflow.front.orient import gains_of, ideal_gains, nadir_gains
from paretoflow.ledger.fragments import write_fragment
from paretoflow.ledger.tables import Event
from paretoflow.lm.adapters import adapter_on
from paretoflow.lm.base import device_of
from paretoflow.methods.distributed.ranks import Ranks
from paretoflow.methods.distributed.sharded import is_sharded, lent
from paretoflow.methods.training.context import MethodContext
from paretoflow.methods.training.states import read_state
from paretoflow.scoring.calibrate import calibrate
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.scoring.preparing import NOBODY, Preparing
from paretoflow.scoring.shared import raw_scores
from paretoflow.spec.methods import MethodSpec
from paretoflow.spec.objectives import unmoved
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Root, as_folder

ALONE = Parallel()


@dataclass(frozen=True)
class _Ready:
    """The parts of an executor that exist once the objectives are frozen."""

    problem: Problem
    setup: RunSetups


class Executor:
    """The loaded base, prompts, objectives and shared tables of a sweep.

    Lifecycle: `prepare` (first worker of a new sweep; at ZeRO 3 its whole group, which holds the
    base together) or `ready` (all others) before `execute`.

    Args:
        root: The sweep's folder.
        threads: CPU threads for torch; None leaves its default.
        parallel: Rank of this process in its worker group.

    Raises:
        UserError: If data, model or objectives cannot be set up.
        ObjectiveError: If a scorer fails on the base's own answers.
    """

    def __init__(
        self,
        spec: SweepSpec,
        root: Root,
        threads: int | None = None,
        parallel: Parallel = ALONE,
    ) -> None:
        self._spec = spec
        self._parallel = parallel
        self._ranks = Ranks(parallel, device_of(spec.model))
        self._folder = as_folder(root)
        self._files = RunFiles(self._folder, parallel)
        found = loaded(spec, threads, root=self._folder, parallel=parallel)
        require_trainable(spec, found.lm, parallel)
        self._lm, self._prompts, self._inputs = found.lm, found.prompts, found.inputs
        names = [o.name for o in spec.objectives]
        self._pulse = Pulse()
        self._panel = ObjectivePanel(names, found.scorers, self._pulse.beat)
        parts = (spec, self._folder, self._lm, self._panel, self._prompts, self._pulse)
        self._stage = Stage(*parts, found.sampler)
        digests = self._lm.digest, parallel.ranks, self._inputs.digest
        self._results = Results(self._folder, self._files, self._prompts, names, *digests)
        self._base_signals: Mapping[str, float] | None = None
        self._ready: _Ready | None = None

    def prepare(self, mailbox: Preparing = NOBODY) -> list[Event]:
        """Freeze the objectives and evaluate the base; return both as rows.

        Raises:
            RunInterrupted: If the mailbox requests it; sampled and scored answers are kept.
        """
        problem, lessons, events = None, None, list[Event]()
        with lent(self._lm.model, self._ranks) as well:
            if self._first:
                problem, lessons, events = self._prepared(mailbox)
        if not well:
            return []  # the error of the first worker tells why
        frozen: Problem = self._ranks.shared(problem)
        self._base_signals = self._base_signals or {}
        self._freeze(frozen, lessons or self._stage.learn(mailbox))
        return events

    def _prepared(self, mailbox: Preparing) -> tuple[Problem, Lessons, list[Event]]:
        self._files.keep_start(getattr(self._spec.model, "adapter", None))
        lessons = self._stage.learn(mailbox)
        objectives = self._spec.objectives
        problem = calibrate(objectives, raw_scores(lessons.scored, objectives))
        problem = replace(problem, inputs=self._inputs)
        notes = notes_of(self._spec, problem, lessons.scored, self._panel)
        result = lessons.of_base.evaluate(self._lm.model)
        self._base_signals = result.diagnostics
        known = calibrated(problem, time.time(), self._prompts.facts)
        return problem, lessons, [known, self._results.of_base(result, notes)]

    def ready(self, problem: Problem, mailbox: Preparing = NOBODY) -> list[Event]:
        """Prepare for launches under objectives that are frozen already.

        Returns:
            The inputs that scores depend on as a row, where they differ from those in the ledger.

        Raises:
            ChangedInputsError: If scores would not be comparable with the earlier ones; raised
                before anything is sampled.
            RunInterrupted: If the mailbox requests it.
        """
        events = compared(problem.inputs, self._inputs, self._folder.uri, first=self._first)
        lessons, runs_base = None, self._first or not is_sharded(self._lm.model)
        with lent(self._lm.model, self._ranks) as well:
            if runs_base:
                lessons = self._stage.learn(mailbox)
        if well:  # the others read what the first has stored
            self._freeze(problem, lessons or self._stage.learn(mailbox))
        return events

    def _freeze(self, problem: Problem, lessons: Lessons) -> None:
        """Build the method around the frozen objectives."""
        self._evaluator = lessons.evaluator
        context = MethodContext(
            lm=self._lm,
            lora=self._spec.model.lora,
            generation=self._spec.model.generation,
            candidates=lessons.candidates,
            objective_names=problem.names,
            scale=ideal_gains(problem) - nadir_gains(problem),
            rewards=lambda prompts, answers: gains_of(self._panel.score(prompts, answers), problem),
            validate=lambda model: self._validation_gains(problem, model),
            problem=problem,
            unmoved=unmoved(self._spec.objectives),
        )
        self._ready = _Ready(problem, RunSetups(self._spec, context, self._evaluator))

    def _validation_gains(self, problem: Problem, model: Any) -> FloatArray:
        draws = self._spec.method.dual.draws
        scores = self._evaluator.prompt_scores(model, self._prompts.validation, draws)
        return gains_of(scores, problem)

    def execute(self, launch: Launch, attempt: Attempt) -> Failure | None:
        """Execute an attempt from the state that earlier ones saved; return its failure, if any."""
        self._pulse.tells = attempt.progress
        failure = failure_in(lambda: self._train(launch, attempt), (self._files.root,))
        if failure is not None and failure.outage:
            self._files.clear(launch.run_id, launch.attempt)
        return failure

    def _train(self, launch: Launch, attempt: Attempt) -> None:
        if self._ready is None:
            raise WorkerError("the worker was given a launch before the calibration")
        if launch.known is not None:
            self._look_again(launch, launch.known, attempt, self._ready.setup)
            return
        saved = self._files.saved_state(launch.run_id, launch.attempt)
        setup = self._ready.setup.setup_for(launch.proposal)
        watch = self._watch(setup.spec, launch.proposal, saved)
        curve = AttemptCurve(self._folder, (launch.run_id, launch.attempt))
        context = replace(
            self._context(launch, attempt, saved),
            should_finish=(lambda: bool(watch.reason)) if watch else None,
            log_step=curve.log,
        )

        def report(checkpoint: Checkpoint) -> None:
            curve.keep(self._files.patiently)
            self._checkpoint(launch, checkpoint, attempt, setup, watch)

        try:
            with curve:
                setup.method.train(context, report)
        except RunInterrupted as stopped:
            if self._first and stopped.state is not None:
                if watch is not None:
                    watch.save(stopped.state)
                self._files.keep(stopped.state)
            if not self._pauses(launch, stopped, attempt):
                raise
        else:
            if self._first:
                self._files.finish(launch.run_id)

    def _context(self, launch: Launch, attempt: Attempt, saved: Path | None) -> AttemptContext:
        known = read_state(saved) if saved is not None else None
        steps = itertools.count(known.step + 1 if known else 1)

        def should_stop() -> bool:  # called once after every step
            attempt.progress(next(steps))
            return attempt.stopping()

        return AttemptContext(
            launch,
            folder=self._files.attempt(launch.run_id, launch.attempt),
            adapter=self._files.adapter,
            resume_from=saved,
            parallel=self._parallel,
            should_stop=should_stop,
            stopping=partial(asked_to_stop, attempt),
        )

    def _pauses(self, launch: Launch, stopped: RunInterrupted, attempt: Attempt) -> bool:
        """Report that a run is paused; return whether that is why it stopped, on every worker."""
        why = attempt.suspended()
        if why and self._first:
            where = (launch.run_id, launch.attempt)
            row = paused(*where, time.time(), why, stopped.step, stopped.cost)
            self._files.patiently(lambda: write_fragment(self._folder, [row]))
            attempt.tell(Report(*where, (row,)))
        # the other workers stop with the first one, which alone knows the reason
        return bool(why) or not (self._first or attempt.stopping())

    def _look_again(
        self, launch: Launch, known: PriorEvaluation, attempt: Attempt, setup: RunSetups
    ) -> None:
        """Evaluate a checkpoint again; with several workers, the first does it alone."""
        with lent(self._lm.model, self._ranks):
            if not self._first:
                return
            attempt.progress()
            if attempt.stopping():
                raise RunInterrupted("the worker leaves before the evaluation", launch.run_id)
            require_alike(known, self._prompts.digest, self._inputs.digest)
            folder = None if launch.parent is None else self._files.adapter(launch.parent)
            evaluator = setup.evaluator_for(known.proposal.settings if known.proposal else ())
            with adapter_on(self._lm, folder) as model:
                result = evaluator.evaluate(model, draw=known.number)
            attempt.progress()
            events = self._results.of_known(launch, known, result)
            attempt.tell(Report(launch.run_id, launch.attempt, events))

    @property
    def _first(self) -> bool:
        return self._parallel.rank == 0

    def _watch(
        self, method: MethodSpec, asked: Proposal, state: Path | None
    ) -> EarlyStopping | None:
        """Return the early stopping of a run, on every worker; None where it has none."""
        if method.early_stop is None or settles_itself(method, asked):
            return None
        if self._base_signals is None:
            with lent(self._lm.model, self._ranks):
                own = self._evaluator.signals(self._lm.model) if self._first else {}
            self._base_signals = own
        return EarlyStopping(method.early_stop, method.steps, self._base_signals, state)

    def _checkpoint(
        self,
        launch: Launch,
        checkpoint: Checkpoint,
        attempt: Attempt,
        setup: RunSetup,
        watch: EarlyStopping | None,
    ) -> None:
        """Evaluate a checkpoint and write the result, with the run's end if it is the last one."""
        attempt.progress()
        if not self._first:
            return
        names, asked = self._panel.names, setup.decoding
        points = list(points_of(checkpoint, setup.evaluator, names, attempt.progress, asked))
        if watch is not None and not checkpoint.served:
            watch.look(checkpoint, points[0].diagnostics)
        early = watch.reason if watch else ""
        events = self._results.of_checkpoint(launch, checkpoint, points, early)
        attempt.tell(Report(launch.run_id, launch.attempt, events))
