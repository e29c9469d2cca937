"""What a method is built around: the loaded base and the tables that all runs of a sweep share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paretoflow.core.protocols import Candidates, Prompt
from paretoflow.core.values import FloatArray
from paretoflow.spec.models import GenerationSpec, LoraSpec

if TYPE_CHECKING:
    from paretoflow.lm.base import LanguageModel

Rewards = Callable[[Sequence[Prompt], Sequence[str]], FloatArray]
"""Prompts and completions, b each, to oriented gains, shape (b, m); never returns a nan."""

Validate = Callable[[Any], FloatArray]
"""A PEFT model in training to its mean oriented gains on the validation prompts, shape (m,)."""


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
        validate: Looks at the model in training, for the dual controller.
    """

    lm: LanguageModel
    lora: LoraSpec
    generation: GenerationSpec
    candidates: Candidates
    objective_names: tuple[str, ...]
    scale: FloatArray
    rewards: Rewards
    validate: Validate
