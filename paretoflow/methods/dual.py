"""From a constraint to weights over time: one controller for every method that takes weights."""

from __future__ import annotations

import numpy as np

from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.core.values import FloatArray, LaunchKind, Proposal
from paretoflow.spec.methods import DualSpec


class DualController:
    """Holds the weights in force; raises the weight of an objective that is under its threshold.

    The launch asks to maximise the target's gain G_t subject to G_i >= z_i for the others, with
    frozen z. The Lagrangian in normalised gains is w0.G + sum_i mu_i (G_i - z_i) with w0 the
    proposal's weights (one-hot at the target in the pure form), whose policy gradient is that of
    the weighted sum with w0 + mu. Projected dual ascent after each look at the validation gains:

        mu_i <- clip(mu_i + lr (z_i - G_i) / scale_i, 0, max_multiplier)      for i other than the
        target w    <- (w0 + mu) / sum(w0 + mu)

    By hand, two objectives, target 0, w0 = (1, 0), z_1 = 0.5, scale_1 = 2, lr = 1: a look at G_1 =
    -0.5 gives mu_1 = 0.5 and w = (2/3, 1/3); a second at G_1 = 2.5 gives mu_1 = max(0.5 - 1, 0) = 0
    and w = (1, 0) again.

    A weighted launch has no thresholds: its weights never move.

    Args:
        scale: Ideal minus nadir in gains, shape (m,), positive.

    References:
        Liu et al. 2024, arXiv 2410.02236 (C-MORL), policy extension. Departures: (1) they solve the
        constrained step with a log barrier inside the policy update; here each constraint has a
        multiplier, which is a weight, so any method can take it. (2) The slack in the thresholds is
        the proposer's business.
    """

    def __init__(self, spec: DualSpec, proposal: Proposal, scale: FloatArray) -> None:
        start = proposal.weights.array
        bounds = np.full(start.shape, -np.inf)
        if proposal.kind is LaunchKind.CONSTRAINED and proposal.thresholds is not None:
            bounds = np.asarray(proposal.thresholds, dtype=np.float64).copy()
        if start.shape != scale.shape or start.shape != bounds.shape:
            raise ShapeError(
                f"shapes differ: weights {start.shape}, thresholds {bounds.shape}, "
                f"scale {scale.shape}"
            )
        if proposal.target is not None:
            bounds[proposal.target] = -np.inf
        self._spec = spec
        self._start = start
        self._bounds = bounds
        self._scale = scale
        self._multipliers = np.zeros_like(start)

    @property
    def active(self) -> bool:
        """Return whether any objective has a threshold, that is, whether the weights can move."""
        return bool(np.isfinite(self._bounds).any())

    @property
    def weights(self) -> FloatArray:
        """Return the weights in force, on the simplex, shape (m,)."""
        raised = self._start + self._multipliers
        weights: FloatArray = raised / raised.sum()
        return weights if self._multipliers.any() else self._start.copy()

    @property
    def multipliers(self) -> FloatArray:
        """Return what has been added to the launch's weights, shape (m,): all there is to save."""
        return self._multipliers.copy()

    def restore(self, multipliers: FloatArray) -> None:
        """Go on from saved multipliers, shape (m,).

        Raises:
            ShapeError: If there is not one for each objective.
        """
        if multipliers.shape != self._start.shape:
            raise ShapeError(
                f"multipliers must have shape {self._start.shape}, got {multipliers.shape}"
            )
        self._multipliers = multipliers.astype(np.float64)

    def update(self, gains: FloatArray) -> None:
        """Take one step of dual ascent.

        Args:
            gains: Mean oriented gains on the validation prompts, shape (m,).

        Raises:
            ShapeError: If `gains` is not shape (m,).
            NonFiniteError: If a gain is nan or infinite.
        """
        if gains.shape != self._start.shape:
            raise ShapeError(
                f"validation gains must have shape {self._start.shape}, got {gains.shape}"
            )
        if not np.isfinite(gains).all():
            raise NonFiniteError(f"validation gains must be finite, got {gains.tolist()}")
        bounded = np.isfinite(self._bounds)
        violation = np.zeros_like(gains)
        violation[bounded] = (self._bounds - gains)[bounded] / self._scale[bounded]
        self._multipliers = np.clip(
            self._multipliers + self._spec.lr * violation, 0.0, self._spec.max_multiplier
        )
