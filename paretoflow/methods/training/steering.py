"""Keep a constrained run within its thresholds: looks, control, and choice of the result.

The first look measures the parent, before any step; all later looks are compared with it. Between
steps the run is measured, its weights move, and the best policy that keeps the thresholds is
stored. The result may differ from the last policy: see `settling`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from transformers import Trainer

from paretoflow.core.errors import MethodError
from paretoflow.core.values import FloatArray
from paretoflow.methods.constrained.constraint import ParentComparison, paired
from paretoflow.methods.constrained.policies import Policy, copied, mixed, put
from paretoflow.methods.constrained.settling import Looks, search
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.validation import validation_gains
from paretoflow.spec.methods.base import look_every

CONTROL_FILE = "paretoflow_control.safetensors"
"""File in a folder of trainer state: the looks of a constrained run, and the stored policies."""


class Steering:
    """Steers one run; does nothing for a launch without thresholds.

    Every rank must call each method at the same time.

    Attributes:
        result: The look of the policy that the run ended with; None until it is chosen.
    """

    def __init__(self, run: Run, trainer: Trainer, context: MethodContext) -> None:
        self._run, self._trainer, self._context = run, trainer, context
        self._spec = run.spec.dual
        self._every = look_every(self._spec, run.spec.steps)
        self._start: FloatArray | None = None
        self._policies: dict[str, Policy] = {}
        self._looks = Looks(run.controller.constraint)
        self.result: ParentComparison | None = None

    def begin(self) -> None:
        """Measure the parent, or continue from the looks of an earlier attempt."""
        if not self._run.controller.active:
            return
        state = self._run.attempt.resume_from
        if state is not None and self._remembers:
            self._restore(state)
        elif self._remembers:
            self._take(self._look(0))

    def after(self, step: int) -> None:
        """Measure the run when due, and update the weights."""
        if not self._run.controller.active or step % self._every or step == self._run.spec.steps:
            return
        look = self._look(step)
        self._run.controller.update(look.change)
        if self._settles:
            self._take(look)

    def settle(self) -> None:
        """Set the model to the policy that is the run's result."""
        if not (self._run.controller.active and self._settles):
            return
        steps, looks = self._run.spec.steps, self._looks
        last = self._look(steps)
        self._take(last)
        assert looks.best is not None
        self.result = looks.best
        if self._worth_a_search():
            assert looks.beyond is not None
            found = search(
                looks.constraint, looks.best, looks.beyond, self._spec.checks, self._look_between
            )
            self.result = found
        self._mark_delivered(self.result, last)

    def record(self) -> dict[str, Any] | None:
        """Return the constraint's entry in the run's record; None before the result is chosen."""
        result, constraint = self.result, self._looks.constraint
        if result is None:
            return None
        names = self._context.objective_names
        bounded = np.flatnonzero(np.isfinite(constraint.allowed))
        told = {
            names[i]: {
                "allowed": float(constraint.allowed[i]),
                "change": float(result.change[i]),
                "stderr": float(result.stderr[i]),
            }
            for i in bounded
        }
        target = constraint.target
        return {
            "target": None if target is None else names[target],
            "gain": None if target is None else float(result.change[target]),
            "gain_stderr": None if target is None else float(result.stderr[target]),
            "feasible_start": constraint.feasible_start,
            "kept": constraint.kept(result),
            "step": result.step,
            "share": result.share,
            "looks": self._looks.taken,
            "thresholds": told,
        }

    def save(self, folder: Path) -> None:
        """Write the looks into a folder of trainer state; for rank 0 alone."""
        if not (self._run.controller.active and self._remembers):
            return
        assert self._start is not None
        looks = self._looks
        told = {
            "start": self._start.tolist(),
            "memory": self._run.controller.memory.tolist(),
            "taken": looks.taken,
            "best": _plain(looks.best),
            "beyond": _plain(looks.beyond),
        }
        tensors = {
            f"{name}.{place}": value
            for name, policy in self._policies.items()
            for place, value in enumerate(policy)
        }
        save_file(tensors, folder / CONTROL_FILE, {"control": json.dumps(told)})

    @property
    def _settles(self) -> bool:
        return self._spec.result == "feasible"

    @property
    def _remembers(self) -> bool:
        """Return whether looks are compared with the first, or policies are stored."""
        return self._spec.paired or self._settles

    def _look(self, step: int, share: float = 1.0) -> ParentComparison:
        self._run.ranks.in_step = True
        gains = validation_gains(self._run, self._trainer, self._context.validate)
        if self._start is None:
            self._start = gains if self._spec.paired else np.zeros_like(gains)
        return paired(step, gains, self._start, share)

    def _look_between(self, share: float) -> ParentComparison:
        """Measure a mixture of the stored policies, and leave the model at it."""
        put(self._run.model, mixed(self._policies["best"], self._policies["beyond"], share))
        self._looks.taken += 1
        return self._look(self._run.spec.steps, share)

    def _take(self, look: ParentComparison) -> None:
        best, beyond = self._looks.take(look)
        if best or beyond:
            policy = copied(self._run.model)
            names = [n for n, flag in (("best", best), ("beyond", beyond)) if flag]
            self._policies.update(dict.fromkeys(names, policy))

    def _worth_a_search(self) -> bool:
        best, beyond, constraint = self._looks.best, self._looks.beyond, self._looks.constraint
        if best is None or beyond is None or not constraint.kept(best):
            return False
        return constraint.gain(beyond) > constraint.gain(best)

    def _mark_delivered(self, result: ParentComparison, last: ParentComparison) -> None:
        if result is last and self._looks.taken == len(self._looks.seen):
            return  # the model is as it was trained
        if result is self._looks.best:
            put(self._run.model, self._policies["best"])
        else:
            low, high = self._policies["best"], self._policies["beyond"]
            put(self._run.model, mixed(low, high, result.share))

    def _restore(self, folder: Path) -> None:
        try:
            with safe_open(folder / CONTROL_FILE, framework="pt") as file:
                told = json.loads(file.metadata()["control"])
                names = sorted(file.keys(), key=lambda name: int(name.partition(".")[2]))
                for name in names:
                    policy = self._policies.setdefault(name.partition(".")[0], [])
                    policy.append(file.get_tensor(name))
            self._start = np.array(told["start"])
            self._run.controller.restore(np.array(told["memory"]))
            self._looks.taken = told["taken"]
            self._looks.best, self._looks.beyond = _look(told["best"]), _look(told["beyond"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            what = f"what the run has seen of its thresholds cannot be read: {error}"
            hint = "start the run afresh"
            raise MethodError(
                what, str(folder / CONTROL_FILE), hint, code="training-state"
            ) from error


def _plain(look: ParentComparison | None) -> dict[str, Any] | None:
    if look is None:
        return None
    stated = {"change": look.change.tolist(), "stderr": look.stderr.tolist()}
    return {"step": look.step, "share": look.share, **stated}


def _look(plain: dict[str, Any] | None) -> ParentComparison | None:
    if plain is None:
        return None
    change, stderr = np.array(plain["change"]), np.array(plain["stderr"])
    return ParentComparison(plain["step"], change, stderr, plain["share"])
