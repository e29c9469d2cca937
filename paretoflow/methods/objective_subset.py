"""Hide objectives that training cannot change, such as system costs, from a method.

A column with equal scores for all answers distinguishes none of them. Left in, it would always be
the worst objective, a zero gradient or a head without pairs, and its weight would only reduce the
others. Reported checkpoints have all objectives again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from paretoflow.core.candidates import Given
from paretoflow.core.launch import Launch
from paretoflow.core.protocols import AttemptContext, Checkpoint, Method, Served
from paretoflow.core.values import FloatArray, Problem, WeightVector
from paretoflow.methods.training.context import MethodContext


def narrowed(
    make: Callable[[MethodContext], Method], context: MethodContext, idle: Method | None = None
) -> Method:
    """Return a method that sees only the objectives that training can change.

    Args:
        make: Builds the method.
        context: Has all objectives, and those that training cannot change.
        idle: Method for launches without weight on the visible objectives. None gives these
            launches equal weights, for a method that does not train for a launch's weights.
    """
    if not context.unmoved:
        return make(context)
    kept = [i for i in range(len(context.objective_names)) if i not in context.unmoved]
    return _Narrowed(make(narrowed_context(context, kept)), kept, idle)


def narrowed_context(context: MethodContext, kept: list[int]) -> MethodContext:
    """Return a context with the objectives of the given indices, in their order."""
    candidates = context.candidates
    problem = context.problem
    return replace(
        context,
        candidates=replace(
            candidates,
            gains=candidates.gains[..., kept],
            mean=candidates.mean[kept],
            std=candidates.std[kept],
            given=_narrowed_labels(candidates.given, kept),
        ),
        objective_names=tuple(context.objective_names[i] for i in kept),
        scale=context.scale[kept],
        rewards=lambda prompts, answers: context.rewards(prompts, answers)[..., kept],
        validate=lambda model: context.validate(model)[..., kept],
        problem=problem and Problem(tuple(problem.objectives[i] for i in kept)),
        unmoved=(),
    )


def _narrowed_labels(given: Given | None, kept: list[int]) -> Given | None:
    if given is None:
        return None
    labels = None if given.labels is None else given.labels[:, kept]
    return replace(given, names=tuple(given.names[i] for i in kept), labels=labels)


class _Narrowed:
    """See `narrowed`; satisfies `core.protocols.Method`."""

    def __init__(self, method: Method, kept: list[int], idle: Method | None) -> None:
        self._method = method
        self._kept = kept
        self._idle = idle

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        """Train; see `core.protocols.Method`."""
        weights = attempt.launch.proposal.weights.array
        if self._idle is not None and not weights[self._kept].any():
            self._idle.train(attempt, report)
            return
        self._method.train(
            replace(attempt, launch=self._told(attempt.launch)),
            lambda checkpoint: report(self._widened(checkpoint, weights)),
        )

    def _told(self, launch: Launch) -> Launch:
        """Return the launch as the method sees it, without bounds on hidden objectives."""
        proposal, kept = launch.proposal, self._kept
        weights, bounds = proposal.weights.array[kept], proposal.thresholds
        told = replace(
            proposal,
            weights=WeightVector.of(weights if weights.any() else np.ones(len(kept))),
            target=kept.index(proposal.target) if proposal.target in kept else None,
            thresholds=None if bounds is None else tuple(bounds[i] for i in kept),
        )
        front, parent = launch.front, launch.parent_gains
        return replace(
            launch,
            proposal=told,
            front=None if front is None else front[:, kept],
            parent_gains=None if parent is None else parent[kept],
        )

    def _widened(self, checkpoint: Checkpoint, asked: FloatArray) -> Checkpoint:
        """Return the checkpoint with all objectives; hidden ones keep the launch's weights.

        By hand: for a launch with (0.2, 0.3, 0.5) and the last objective hidden, (0.4, 0.6) become
        (0.2, 0.3, 0.5).
        """
        weights = asked.copy()
        weights[self._kept] = asked[self._kept].sum() * checkpoint.weights
        served = tuple(self._served(one, len(asked)) for one in checkpoint.served)
        effective = None
        if checkpoint.effective is not None:
            effective = np.zeros(len(asked))
            effective[self._kept] = checkpoint.effective
        return replace(checkpoint, weights=weights, served=served, effective=effective)

    def _served(self, served: Served, m: int) -> Served:
        weights = np.zeros(m)
        weights[self._kept] = served.weights
        draws = tuple(self._served(one, m) for one in served.draws)
        return replace(served, weights=weights, draws=draws)
