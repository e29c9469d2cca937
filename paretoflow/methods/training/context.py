"""Context of a method and of each of its runs."""

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
"""Maps prompts and completions, b each, to oriented gains, shape (b, m); never returns a nan."""

Validate = Callable[[Any], FloatArray]
"""Maps a PEFT model to its oriented gains on n validation prompts, (n, m), or (m,) for one."""


@dataclass(frozen=True)
class MethodContext:
    """The collaborators of every method.

    Args:
        lm: The frozen base; a run attaches its adapter and removes it again.
        candidates: The base's scored answers to the train prompts.
        objective_names: Names in the order of every weight vector, length m.
        scale: Ideal minus nadir in gains, shape (m,), positive; the unit in which a violation is
            measured.
        rewards: Scores sampled answers, for online methods.
        validate: Evaluates the model in training, for constrained runs: the same prompts and noise
            each time, so that two looks compare prompt by prompt.
        problem: The objectives in the user's units, for methods that pass on raw scores; None where
            every score is a gain.
        unmoved: Indices of the objectives that training cannot change: all answers score equally.
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
    """A run, from which a method builds its trainer.

    Args:
        ranks: The ranks that train the run together; most often one.
        model: The base with the adapter to train, named "default".
        controller: Holds the current weights; read them for each batch, since they may move.
        arguments: Keyword arguments for the trainer's config, common to all methods.
    """

    spec: MethodSpec
    attempt: AttemptContext
    ranks: Ranks
    model: Any
    controller: DualController
    arguments: dict[str, Any]
