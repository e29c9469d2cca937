"""Training examples by stage: the base's answers first, then the policy's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from paretoflow.core.errors import MethodError
from paretoflow.core.ids import rng_of
from paretoflow.core.values import IntArray
from paretoflow.spec.methods.conditioned import RoundsBase

STATE_FILE = "stage.json"

Pulse = Callable[[], object]
"""Heartbeat callback, for long work between two steps."""


@dataclass(frozen=True)
class Example:
    """A prompt with its condition, and the answer to learn, as token ids."""

    prompt_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]


@dataclass(frozen=True)
class ExampleStage:
    """Training examples until the next sampling.

    Args:
        number: Stage 0 learns from the base's answers, each later one from the policy's.
        base: Examples made of the base's answers.
        own: Examples made of the policy's.
    """

    number: int
    base: tuple[Example, ...]
    own: tuple[Example, ...] = ()

    @property
    def examples(self) -> tuple[Example, ...]:
        """Return all examples."""
        return self.base + self.own


class Stages(Protocol):
    """Creates a method's stages; equal seed and policy give equal stages."""

    def first(self) -> ExampleStage:
        """Return the stage of the base's answers."""
        ...

    def following(self, before: ExampleStage, model: Any, pulse: Pulse) -> tuple[ExampleStage, int]:
        """Sample the policy; return the next stage, and the number of sampled tokens.

        Args:
            before: The stage that ends.
            model: The current policy.
            pulse: Called regularly, as a heartbeat.
        """
        ...


def stage_at(spec: RoundsBase, step: int) -> tuple[int, int]:
    """Return the number of the stage after `step` steps, and its first step.

    By hand: 10 steps and 2 rounds of 3 are the stages from 0, 4 and 7 on.
    """
    opening = spec.opening_steps
    if step < opening:
        return 0, 0
    number = (step - opening) // spec.steps_of_round
    return number + 1, opening + number * spec.steps_of_round


class ExampleOrder:
    """Order of a stage's examples in one run: shuffle after shuffle, without end.

    A draw is a pure function of (stage, number, seed).
    """

    def __init__(self, stage: ExampleStage, seed: int) -> None:
        if not stage.examples:
            raise MethodError(
                f"stage {stage.number} has nothing to learn from",
                hint="raise data.candidates or method.round_prompts, or lower method.quantile",
                code="training-nothing-to-learn",
            )
        self._stage = stage
        self._seed = seed
        self._shuffled: tuple[int, IntArray] | None = None

    def draw(self, numbers: Sequence[int]) -> list[Example]:
        """Return the examples of the draws, which count from the stage's first."""
        examples = self._stage.examples
        count = len(examples)
        return [examples[self._shuffle(n // count)[n % count]] for n in numbers]

    def _shuffle(self, epoch: int) -> IntArray:
        if self._shuffled is None or self._shuffled[0] != epoch:
            rng = rng_of(self._seed, "order", self._stage.number, epoch)
            self._shuffled = (epoch, rng.permutation(len(self._stage.examples)))
        return self._shuffled[1]


def write_stage(folder: Path, stage: ExampleStage) -> None:
    """Write a stage beside trainer state, since the policy that it was sampled from is not kept."""
    plain = {
        "number": stage.number,
        "base": [[e.prompt_ids, e.answer_ids] for e in stage.base],
        "own": [[e.prompt_ids, e.answer_ids] for e in stage.own],
    }
    (folder / STATE_FILE).write_text(json.dumps(plain, separators=(",", ":")))


def read_stage(folder: Path) -> ExampleStage | None:
    """Return the stage saved in trainer state; None for the first stage."""
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    plain = json.loads(path.read_text())
    base, own = (
        tuple(Example(tuple(p), tuple(a)) for p, a in plain[part]) for part in ("base", "own")
    )
    return ExampleStage(plain["number"], base, own)
