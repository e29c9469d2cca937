"""Base class of aggregators, and the two ways to compare answers within a group."""

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
    """The samples of one optimiser step: b prompts, g answers each, m objectives.

    Args:
        rewards: In standard deviations of the base's answers, oriented, shape (b, g, m).
        weights: Current weights, on the simplex, shape (m,).
        prompts: Row of each prompt among the shared candidates, shape (b,).
        lengths: Tokens of each answer, shape (b, g).
        estimate: The trainer's function from one reward for each answer to advantages, shape (b, g)
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
    step. An aggregator with state between steps returns it in `state`, which is saved in the
    trainer state, and continues from it in `restore`, so that a resumed run equals an uninterrupted
    one.
    """

    learns: ClassVar[bool] = False
    """Whether `learn` needs the objectives' gradients of every step."""

    @abstractmethod
    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, g), finite."""

    def metrics(self) -> Mapping[str, float]:
        """Return metrics of the last batch for the training log."""
        return {}

    def margins(self, batch: RewardBatch) -> FloatArray | None:
        """Return each objective's contribution to the differences within groups, shape (m,).

        Its weight times the spread within groups of the weighted values; None where the objectives
        are not summed.
        """
        return None

    def due(self, step: int) -> bool:
        """Return whether to evaluate the validation prompts now, after `step` steps."""
        return False

    def look(self, gains: FloatArray) -> None:  # noqa: B027 - optional
        """Process the mean oriented gains on the validation prompts, shape (m,), when `due`."""

    def learn(self, gram: FloatArray) -> None:  # noqa: B027 - optional
        """Process the inner products of the objectives' gradients of a step, shape (m, m)."""

    def state(self) -> dict[str, Any]:
        """Return the state that later batches depend on, JSON-able; empty for none."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - optional
        """Continue from a value of `state`."""


def group_normalised(utility: FloatArray) -> FloatArray:
    """Return utilities minus the mean of their group, in standard deviations of the group.

    By hand: (0, 2) has mean 1 and standard deviation sqrt(2): about -0.7071 and 0.7071, slightly
    smaller in size.

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
    """Return each objective's contribution to the differences within groups, shape (m,).

    By hand: weights (0.5, 2) on groups that spread by (1, 3) give (0.5, 6).

    Args:
        weights: Shape (m,).
        values: The weighted values, shape (b, g, m).
    """
    margins: FloatArray = weights * spread_within(values)
    return margins


def leave_one_out(utility: FloatArray) -> FloatArray:
    """Return utilities minus the mean of the others in their group.

    By hand: (0, 3, 6) gives 0 - 4.5, 3 - 3 and 6 - 1.5.

    Args:
        utility: One for each answer, shape (b, g), g at least 2.

    References:
        Ahmadian et al. 2024, arXiv 2402.14740, sec. 2.2.
    """
    others = (utility.sum(axis=1, keepdims=True) - utility) / (utility.shape[1] - 1)
    return utility - others
