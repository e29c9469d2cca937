"""What a method is built around, and what each of its runs has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paretoflow.core.protocols import AttemptContext, Candidates, Prompt
from paretoflow.core.values import FloatArray, Problem
from paretoflow.spec.models import GenerationSpec, LoraSpec

if TYPE_CHECKING:
    from paretoflow.lm.base import LanguageModel
    from paretoflow.methods.constrained.dual import DualController
    from paretoflow.methods.distributed.ranks import Ranks
    from paretoflow.spec.methods import MethodSpec

Rewards = Callable[[Sequence[Prompt], Sequence[str]], FloatArray]
"""Prompts and completions, b each, to oriented gains, shape (b, m); never returns a nan."""

Validate = Callable[[Any], FloatArray]
"""A PEFT model to its oriented gains on n validation prompts, (n, m), or (m,) for one prompt."""


@dataclass(frozen=True)
class MethodContext:
    """The collaborators of every method.

    Args:
        lm: The frozen base; a run hangs its adapter on it and takes it off again.
        candidates: The base's scored answers to the train prompts.
        objective_names: In the order of every weight vector, length m.
        scale: Ideal minus nadir in gains, shape (m,), positive; the unit in which a violation is
            measured.
        rewards: Scores fresh answers, for online methods.
        validate: Looks at the model in training, for constrained runs: the same prompts and noise
            each time, so that two looks compare prompt by prompt.
        problem: The objectives in the user's units, for whoever is told raw scores; None where
            every score is a gain.
        unmoved: Indices of the objectives that no training moves, as all answers score alike.
    """

    lm: LanguageModel
    lora: LoraSpec
    generation: GenerationSpec
    candidates: Candidates
    objective_names: tuple[str, ...]
    scale: FloatArray
    rewards: Rewards
    validate: Validate
    problem: Problem | None = None
    unmoved: tuple[int, ...] = ()


@dataclass(frozen=True)
class Run:
    """What a method builds its trainer from.

    Args:
        ranks: Those that train the run together; most often one, alone.
        model: The base with the adapter to train, named "default".
        controller: Holds the weights in force; read them for each batch, since they may move.
        arguments: Keyword arguments for the trainer's config, common to all methods.
    """

    spec: MethodSpec
    attempt: AttemptContext
    ranks: Ranks
    model: Any
    controller: DualController
    arguments: dict[str, Any]
