"""Constraint of a launch: the allowed changes of a policy from its parent.

Thresholds are gains on the evaluation prompts, which do not steer training. Training looks at
validation prompts only, and a policy with gain 0.7 on one set may well have 0.6 on the other. So a
threshold is read as an allowed change from the parent, and a look measures that change: the same
prompts, the same noise, prompt by prompt. This module loads no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.core.values import FloatArray, LaunchKind, Proposal


@dataclass(frozen=True)
class ParentComparison:
    """Change of a policy in training from its parent, measured by one look.

    Args:
        step: Optimiser steps done.
        change: Mean over the validation prompts of its gains less the parent's, shape (m,).
        stderr: Standard error of these means, shape (m,).
        share: Share of the way from an earlier policy, for a mixture of two; 1 for a policy as
            trained.
    """

    step: int
    change: FloatArray
    stderr: FloatArray
    share: float = 1.0


def paired(step: int, gains: FloatArray, start: FloatArray, share: float = 1.0) -> ParentComparison:
    """Return a look from the gains of n validation prompts, (n, m), and the parent's on the same.

    By hand: gains 3 and 5 where the parent had 2 and 2 changed by 1 and 3: mean 2, standard
    deviation sqrt(2), standard error 1.

    Raises:
        ShapeError: If the two differ in shape, or are no matrices.
        NonFiniteError: If a gain is nan or infinite.
    """
    if gains.shape != start.shape or gains.ndim != 2:
        raise ShapeError(
            f"validation gains must have shape {start.shape}, as the parent's, got {gains.shape}"
        )
    if not (np.isfinite(gains).all() and np.isfinite(start).all()):
        raise NonFiniteError("validation gains must be finite")
    change, n = gains - start, len(gains)
    spread = change.std(axis=0, ddof=1) if n > 1 else np.zeros(gains.shape[1])
    return ParentComparison(step, change.mean(axis=0), np.asarray(spread / np.sqrt(n)), share)


@dataclass(frozen=True)
class Constraint:
    """The changes from its parent that a launch may bring.

    Args:
        target: The objective to improve; None ranks no two policies that both keep all thresholds.
        allowed: Least allowed change of each gain, shape (m,): at most 0 where the parent keeps the
            threshold itself, -inf without a threshold.
        scale: Ideal minus nadir in gains, shape (m,), positive.
        caution: A threshold counts as kept if the change is this many standard errors above its
            bound.
    """

    target: int | None
    allowed: FloatArray
    scale: FloatArray
    caution: float = 0.0

    @classmethod
    def of(
        cls,
        proposal: Proposal,
        scale: FloatArray,
        parent: FloatArray | None,
        caution: float = 0.0,
    ) -> Constraint:
        """Return the constraint of a launch; empty if the launch is not constrained.

        Args:
            proposal: With thresholds, if it is constrained.
            scale: Ideal minus nadir in gains, shape (m,), positive.
            parent: The parent's gains on the evaluation prompts, from which its thresholds were
                made, shape (m,); None reads the thresholds as changes from 0, for a caller who
                compares gains instead of changes.
            caution: In standard errors of a look.

        Raises:
            ShapeError: If the shapes differ.
        """
        bounds = np.full(scale.shape, -np.inf)
        if proposal.kind is LaunchKind.CONSTRAINED and proposal.thresholds is not None:
            bounds = np.asarray(proposal.thresholds, dtype=np.float64).copy()
        from_ = np.zeros(scale.shape) if parent is None else np.asarray(parent, dtype=np.float64)
        if not len(proposal.weights) == len(scale) == len(bounds) == len(from_):
            raise ShapeError(
                f"shapes differ: weights ({len(proposal.weights)},), thresholds {bounds.shape}, "
                f"scale {scale.shape}, parent {from_.shape}"
            )
        if proposal.target is not None:
            bounds[proposal.target] = -np.inf
        return cls(proposal.target, bounds - from_, scale, caution)

    @property
    def active(self) -> bool:
        """Return whether any objective has a threshold."""
        return bool(np.isfinite(self.allowed).any())

    @property
    def feasible_start(self) -> bool:
        """Return whether the parent keeps all thresholds itself."""
        return bool((self.allowed <= 0).all())

    def room(self, look: ParentComparison) -> FloatArray:
        """Return the distance of each gain above its bound in shares of the range, shape (m,).

        Below 0 where the bound is missed, inf where there is no bound.
        """
        return np.asarray((look.change - self.allowed) / self.scale)

    def margin(self, look: ParentComparison) -> float:
        """Return the least room after the caution; at least 0 if all thresholds are kept."""
        careful = self.room(look) - self.caution * look.stderr / self.scale
        return float(careful.min())

    def kept(self, look: ParentComparison) -> bool:
        """Return whether a look keeps all thresholds."""
        return self.margin(look) >= 0

    def gain(self, look: ParentComparison) -> float:
        """Return the improvement of the target in shares of the range; 0 without a target."""
        if self.target is None:
            return 0.0
        return float(look.change[self.target] / self.scale[self.target])

    def better(self, look: ParentComparison, than: ParentComparison) -> bool:
        """Return whether a look is better: first by all thresholds kept, then target, then miss.

        Of equal looks the later one is better.
        """
        kept, known = self.kept(look), self.kept(than)
        if kept != known:
            return kept
        if kept:
            return self.gain(look) >= self.gain(than)
        return self.margin(look) >= self.margin(than)
