"""What an aggregator is given and gives, and the two ways to compare answers within a group."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from paretoflow.core.values import FloatArray, IntArray

EPSILON = 1e-4
"""Added to a spread before dividing by it, as in TRL."""


@dataclass(frozen=True)
class RewardBatch:
    """The samples that one optimiser step learns from: b prompts, g answers each, m objectives.

    Args:
        rewards: In standard deviations of the base's answers, oriented, shape (b, g, m).
        weights: In force at this step, on the simplex, shape (m,).
        prompts: Row of each prompt among the shared candidates, shape (b,).
        lengths: Tokens of each answer, shape (b, g).
        estimate: The trainer's way to make advantages of one reward for each answer, shape (b, g)
            to (b, g): `group_normalised` for GRPO, `leave_one_out` for RLOO.
    """

    rewards: FloatArray
    weights: FloatArray
    prompts: IntArray
    lengths: IntArray
    estimate: Callable[[FloatArray], FloatArray]

    def objective_advantages(self) -> FloatArray:
        """Return the advantages under each reward alone, shape (b, g, m)."""
        columns = np.moveaxis(self.rewards, -1, 0)
        return np.stack([self.estimate(column) for column in columns], axis=-1)


class Aggregator(ABC):
    """Turns the rewards of a batch into advantages.

    Lifecycle: built once for each attempt at a run; `advantages` is called once for each optimiser
    step. One that keeps state between steps says so in `state`, whose content goes into the trainer
    state, and goes on from there in `restore`, so that a resumed run equals an undisturbed one.
    """

    learns: ClassVar[bool] = False
    """Whether it wants the objectives' gradients of every step, in `learn`."""

    @abstractmethod
    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, g), finite."""

    def metrics(self) -> Mapping[str, float]:
        """Return what a person may want to see of the last batch, for the training log."""
        return {}

    def margins(self, batch: RewardBatch) -> FloatArray | None:
        """Return what each objective adds to how answers of a group differ, shape (m,).

        Its weight times the spread, within groups, of what is weighed; None where the objectives
        are not added up.
        """
        return None

    def due(self, step: int) -> bool:
        """Return whether it wants to look at the validation prompts now, `step` steps done."""
        return False

    def look(self, gains: FloatArray) -> None:  # noqa: B027 - optional
        """Take the mean oriented gains on the validation prompts, shape (m,), where `due`."""

    def learn(self, gram: FloatArray) -> None:  # noqa: B027 - optional
        """Take the inner products of the objectives' gradients of a step, shape (m, m)."""

    def state(self) -> dict[str, Any]:
        """Return all that later batches depend on, JSON-able; empty for no state."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - optional
        """Go on from what `state` returned."""


def group_normalised(utility: FloatArray) -> FloatArray:
    """Return utilities less the mean of their group, in standard deviations of the group.

    By hand: (0, 2) has mean 1 and standard deviation sqrt(2): -0.7071 and 0.7071, less a hair.

    Args:
        utility: One for each answer, shape (b, g), g at least 2.

    References:
        Shao et al. 2024, arXiv 2402.03300, sec. 4.1.2; 1e-4 added to the deviation as in TRL.
    """
    centred = utility - utility.mean(axis=1, keepdims=True)
    advantages: FloatArray = centred / (utility.std(axis=1, ddof=1, keepdims=True) + EPSILON)
    return advantages


def spread_within(values: FloatArray) -> FloatArray:
    """Return the standard deviation within groups, over all of them, shape (m,).

    By hand: groups (0, 2) and (5, 5): squared distances 1 + 1 + 0 + 0 over two degrees of freedom,
    so 1.

    Args:
        values: Shape (b, g, m).
    """
    apart = values - values.mean(axis=1, keepdims=True)
    freedom = values.shape[0] * (values.shape[1] - 1)
    spread: FloatArray = np.sqrt(np.square(apart).sum(axis=(0, 1)) / freedom)
    return spread


def weighted_margins(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return what each objective adds to how answers of a group differ, shape (m,).

    By hand: weights (0.5, 2) on groups that spread by (1, 3) give (0.5, 6).

    Args:
        weights: Shape (m,).
        values: What the weights are put on, shape (b, g, m).
    """
    margins: FloatArray = weights * spread_within(values)
    return margins


def leave_one_out(utility: FloatArray) -> FloatArray:
    """Return utilities less the mean of the others in their group.

    By hand: (0, 3, 6) gives 0 - 4.5, 3 - 3 and 6 - 1.5.

    Args:
        utility: One for each answer, shape (b, g), g at least 2.

    References:
        Ahmadian et al. 2024, arXiv 2402.14740, sec. 2.2.
    """
    others = (utility.sum(axis=1, keepdims=True) - utility) / (utility.shape[1] - 1)
    return utility - others
