"""A user's program as the trainer."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from paretoflow.core.cost import Cost
from paretoflow.core.errors import MethodError, RunInterrupted, SpecError, UserError
from paretoflow.core.protocols import AttemptContext, Checkpoint
from paretoflow.core.shown import tail
from paretoflow.methods.external.adapters import adopted
from paretoflow.methods.external.curve import CurveFile
from paretoflow.methods.external.process import (
    End,
    Ended,
    ProgramCall,
    environment,
    run_program,
)
from paretoflow.methods.external.request import (
    ProgramFiles,
    base_path,
    launch_of,
    problem_of,
    write_candidates,
)
from paretoflow.methods.external.result import ProgramCheckpoint, read_result
from paretoflow.methods.training.context import MethodContext
from paretoflow.methods.training.states import (
    MANIFEST,
    Layout,
    TrainerState,
    require_state,
    seal,
    state_folder,
)
from paretoflow.spec.methods.command import CommandMethodSpec


class CommandMethod:
    """Runs a program for each launch, and reports the adapters that it writes.

    The package docstring describes its request and its result. Its checkpoints are reported in
    order when it has ended; its time is divided among them by steps. A constraint is passed on
    unchanged: the program has to keep it, without a dual controller.
    """

    def __init__(self, spec: CommandMethodSpec, context: MethodContext) -> None:
        self._spec = spec
        self._context = context

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        """Train one launch; see `core.protocols.Method`.

        Raises:
            MethodError: If the program failed, was killed or ran out of time.
            UserError: If its result does not match the request.
            ModelError: If it wrote no adapter, or one of another base.
            NonFiniteLossError: If an adapter or a metric is not finite.
            RunInterrupted: If it was stopped; its files are kept, for the next attempt.
            ShapeError: If there are not as many weights as objectives.
        """
        files = ProgramFiles((attempt.folder / "program").absolute())
        files.place.mkdir()
        self._lay_out(attempt, files)
        curve = CurveFile(files.curve, attempt.log_step or (lambda step, values: None))

        def stopping() -> bool:
            curve.read()
            return attempt.stopping is not None and attempt.stopping()

        ended = run_program(self._order(files), stopping)
        if ended.why is not End.ITSELF or ended.status:
            with suppress(UserError):  # a torn line after a kill, and the failure says more
                curve.read()
            stopped = ended.why is End.STOPPED
            raise (self._interrupted if stopped else self._failed)(attempt, files, ended)
        curve.read()
        names, steps = self._context.objective_names, self._spec.steps
        saved = read_result(files.result, files.output, names, steps)
        if curve.empty and attempt.log_step is not None:
            for one in filter(lambda each: each.metrics, saved):
                attempt.log_step(one.step, one.metrics)
        self._report(attempt, saved, ended.wall_s, report)
        files.candidates.unlink()
        shutil.rmtree(files.output)

    def _lay_out(self, attempt: AttemptContext, files: ProgramFiles) -> None:
        """Write the program's input, with the files of an earlier attempt."""
        launch = launch_of(self._spec, self._context, attempt, files)
        if attempt.resume_from is None:
            files.output.mkdir()
        else:
            state = require_state(attempt.resume_from, attempt.parallel)
            shutil.copytree(state.folder, files.output, symlinks=True)
            (files.output / MANIFEST).unlink()
        write_candidates(files.candidates, self._context.candidates, problem_of(self._context))
        files.request.write_text(json.dumps(launch, indent=1) + "\n", encoding="utf-8")

    def _order(self, files: ProgramFiles) -> ProgramCall:
        request, result = str(files.request), str(files.result)
        places = {"{request}": request, "{result}": result, "{python}": sys.executable}
        extra = {"PARETOFLOW_REQUEST": request, "PARETOFLOW_RESULT": result}
        return ProgramCall(
            argv=[_filled(word, places) for word in self._spec.argv],
            env=environment(self._spec.env, extra),
            logs=files.place,
            timeout_s=self._spec.timeout_s,
            grace_s=self._spec.grace_s,
        )

    def _report(
        self,
        attempt: AttemptContext,
        saved: Sequence[ProgramCheckpoint],
        wall_s: float,
        report: Callable[[Checkpoint], None],
    ) -> None:
        path, lm, before = base_path(self._context), self._context.lm, 0
        for one in saved:
            folder = attempt.folder / f"step-{one.step:04d}"
            share_s = wall_s * (one.step - before) / saved[-1].step
            with adopted(lm, one.folder, folder, path) as model:
                checkpoint = Checkpoint(
                    step=one.step,
                    folder=folder,
                    final=one is saved[-1],
                    cost=Cost(share_s, share_s, one.tokens),
                    weights=attempt.launch.proposal.weights.array,
                    metrics=one.metrics,
                    model=model,
                    given=one.given,
                )
                report(checkpoint)
            before = one.step
            if one is not saved[-1] and attempt.should_finish and attempt.should_finish():
                return

    def _interrupted(
        self, attempt: AttemptContext, files: ProgramFiles, ended: Ended
    ) -> RunInterrupted:
        """Keep the program's files, whole, and return the error that reports it."""
        folder = state_folder(attempt.folder, 0)
        files.output.rename(folder)
        files.candidates.unlink()
        names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
        multipliers = (0.0,) * len(self._context.objective_names)
        seal(TrainerState(folder, 0, Layout.of(attempt.parallel), multipliers), sorted(names))
        how = "killed" if ended.status == -9 else "ended"
        return RunInterrupted(
            f"the program was asked to stop and {how}; the next attempt finds its files",
            f"run {attempt.launch.run_id}",
            state=folder,
            cost=Cost(ended.wall_s, ended.wall_s),
        )

    def _failed(self, attempt: AttemptContext, files: ProgramFiles, ended: Ended) -> MethodError:
        """Return the error for the program's failure, with the ends of its logs."""
        logs = [files.place / "stderr.log", files.place / "stdout.log"]
        ends = {log: tail(log) for log in logs}
        last = next((text.splitlines()[-1] for text in ends.values() if text), "it said nothing")
        error = MethodError(
            f"the program {_how(ended, self._spec)}; its last words: {last}",
            f"run {attempt.launch.run_id}",
            f"its logs: {logs[0]}, {logs[1].name}",
            code="training-program",
        )
        for log, text in ends.items():
            error.add_note(f"\n{log.name}, its end:\n{text}")
        return error


def _how(ended: Ended, spec: CommandMethodSpec) -> str:
    if ended.why is End.TIMEOUT:
        return f"ran past method.timeout_s = {spec.timeout_s:g} s and was ended"
    if ended.status < 0:
        name = _signal_name(-ended.status)
        memory = ", most often because memory ran out" if name == "SIGKILL" else ""
        return f"was killed by {name}{memory}"
    return f"ended with status {ended.status}"


def _signal_name(number: int) -> str:
    known = {s.value: s.name for s in signal.Signals}
    return known.get(number, f"signal {number}")


def _filled(word: str, places: Mapping[str, str]) -> str:
    """Return a word of `argv` with its placeholders filled in; other braces are unchanged."""
    for place, value in places.items():
        word = word.replace(place, value)
    return word


def require_startable(spec: CommandMethodSpec) -> None:
    """Refuse a missing program or variable, before anything is trained.

    Raises:
        SpecError: If `argv` names no program on this machine, or a variable of `env` is not set.
    """
    program = _filled(spec.argv[0], {"{python}": sys.executable})
    if shutil.which(program) is None:
        raise SpecError(
            f"there is no program {program!r} on this machine",
            "method.argv",
            "install it where the worker groups run, or name it by its path; there is no shell",
            code="spec-missing-file",
        )
    if unset := [name for name in spec.env if name not in os.environ]:
        raise SpecError(
            f"not set where the worker group runs: {', '.join(unset)}",
            "method.env",
            "set it in the environment of the machine or of the cluster's job, or leave it out",
            code="spec-variable",
        )
