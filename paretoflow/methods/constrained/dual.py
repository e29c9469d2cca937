"""Turn a constraint into weights over time: one controller for every method with weights."""

from __future__ import annotations

import numpy as np

from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.core.values import FloatArray, Proposal
from paretoflow.methods.constrained.constraint import Constraint
from paretoflow.spec.methods import DualSpec

FRESH = 0.2
"""Share of the latest minibatch in the running mean level: one batch is mostly noise."""


class DualController:
    """Holds the current weights; raises the weight of an objective near its threshold.

    The launch asks to maximise the target's gain G_t subject to G_i >= z_i for the others, with
    frozen z. Its Lagrangian in normalised gains is w0.G + sum_i mu_i (G_i - z_i) with w0 the
    proposal's weights, whose policy gradient is that of the weighted sum with w0 + mu. So a
    multiplier is a weight, and any method can take it: w <- (w0 + mu) / sum(w0 + mu).

    A look is in the past by the time the weights act, so the room r_i = (G_i - z_i) / scale_i is
    extrapolated, on the assumption that training moves as in the last interval:

        r_i <- r_i + lookahead (r_i - r_i at the look before).

    `form: dual` is projected ascent. The lookahead adds a proportional part (the sum of all changes
    of r_i is r_i itself), which damps the overshoot of plain ascent:

        mu_i <- clip(mu_i - lr r_i, 0, max)

    `form: barrier` is the gradient of sum_i log(r_i) / sharpness, from the room 1 / (sharpness max)
    downwards that of its tangent, so that it is finite where a threshold is missed:

        mu_i <- min(1 / (sharpness max(r_i, 0)), max)

    Where a method samples from its policy in training, `observe` moves the barrier with each
    minibatch, as in the paper: the change since the last look is that of the running mean level, in
    which the latest batch has the share `FRESH`.

    By hand, dual without lookahead, target 0, w0 = (1, 0), z_1 = 0.5, scale_1 = 2, lr =
    1: a look at G_1 = -0.5 gives mu_1 = 0.5 and w = (2/3, 1/3); a second at G_1 = 2.5 gives mu_1 =
    max(0.5 - 1, 0) = 0 and w = (1, 0) again. Barrier, sharpness 20: room 0.05 gives mu_1 = 1 and w
    = (1/2, 1/2), room 0.5 a tenth of that.

    A weighted launch has no thresholds: its weights never move.

    Args:
        scale: Ideal minus nadir in gains, shape (m,), positive.
        parent: The parent's gains on the evaluation prompts; see `Constraint.of`.

    References:
        Liu et al. 2024, arXiv 2410.02236 (C-MORL), sec. 5.3: the barrier (t = 20 on returns).
        Stooke et al. 2020, arXiv 2007.03964: multipliers alone overshoot, a proportional part
        damps them.
        Departures: (1) the constraint is on changes from the parent, see `constraint`; (2) the
        proposer sets the slack in the thresholds.
    """

    def __init__(
        self,
        spec: DualSpec,
        proposal: Proposal,
        scale: FloatArray,
        parent: FloatArray | None = None,
    ) -> None:
        self.constraint = Constraint.of(proposal, scale, parent, spec.caution)
        self._spec = spec
        self._start = proposal.weights.array
        self._before: FloatArray | None = None
        self._multipliers = np.zeros_like(self._start)
        self._change = np.zeros_like(self._start)
        self._level: FloatArray | None = None
        self._level_then: FloatArray | None = None
        if spec.form == "barrier" and self.active:  # the parent's own room is known
            self._barrier(self._room(np.zeros_like(self._start)))

    @property
    def active(self) -> bool:
        """Return whether any objective has a threshold, so that the weights can move."""
        return self.constraint.active

    @property
    def weights(self) -> FloatArray:
        """Return the current weights, on the simplex, shape (m,)."""
        raised = self._start + self._multipliers
        weights: FloatArray = raised / raised.sum()
        return weights if self._multipliers.any() else self._start.copy()

    @property
    def multipliers(self) -> FloatArray:
        """Return the multipliers added to the launch's weights, shape (m,)."""
        return self._multipliers.copy()

    @property
    def memory(self) -> FloatArray:
        """Return the state to save, shape (5, m).

        Multipliers, the last look's change and its room, the batches' level at that look and now.
        Nan marks unknown values, and objectives without a bound.
        """
        unknown = np.full_like(self._start, np.nan)
        known = (self._before, self._level_then, self._level)
        rows = [
            unknown if row is None else np.where(np.isfinite(row), row, np.nan) for row in known
        ]
        return np.stack([self._multipliers, self._change, *rows])

    def restore(self, memory: FloatArray) -> None:
        """Continue from a saved state, shape (5, m), or from multipliers alone, (m,).

        Raises:
            ShapeError: If the state does not match the number of objectives.
        """
        m = len(self._start)
        if memory.shape not in {(m,), (5, m)}:
            raise ShapeError(f"multipliers must have shape ({m},), got {memory.shape}")
        rows = np.atleast_2d(memory.astype(np.float64))
        self._multipliers = rows[0].copy()
        if len(rows) == 1:
            return
        self._change = rows[1].copy()
        if np.isfinite(rows[2]).any():
            self._before = np.where(np.isnan(rows[2]), np.inf, rows[2])
        if np.isfinite(rows[4]).all():
            self._level_then, self._level = rows[3].copy(), rows[4].copy()

    def update(self, change: FloatArray, share: float = 1.0) -> None:
        """Update the weights from a look.

        Args:
            change: Mean change of the gains from the parent's, shape (m,).
            share: Share of the interval between two looks that has passed since the last update.

        Raises:
            ShapeError: If `change` is not shape (m,).
            NonFiniteError: If a change is nan or infinite.
        """
        if change.shape != self._start.shape:
            raise ShapeError(
                f"validation gains must have shape {self._start.shape}, got {change.shape}"
            )
        if not np.isfinite(change).all():
            raise NonFiniteError(f"validation gains must be finite, got {change.tolist()}")
        room = self._room(change)
        ahead = room
        if self._before is not None:
            bounded = np.isfinite(room)
            moved = (room[bounded] - self._before[bounded]) / share
            ahead = room.copy()
            ahead[bounded] += self._spec.lookahead * moved
        self._before, self._change = room, change.copy()
        self._level_then = self._level
        if self._spec.form == "barrier":
            self._barrier(ahead)
        else:
            self._ascend(ahead, share)

    def observe(self, level: FloatArray) -> None:
        """Update the barrier from a minibatch between two looks; `form: dual` waits for the look.

        Args:
            level: Mean gains of the batch's answers minus those of the base's answers to the same
                prompts, shape (m,), finite.
        """
        if self._spec.form != "barrier" or not self.active:
            return
        before = level if self._level is None else self._level
        self._level = np.asarray((1 - FRESH) * before + FRESH * level)
        if self._level_then is None:
            self._level_then = self._level
        self._barrier(self._room(self._change + self._level - self._level_then))

    def _room(self, change: FloatArray) -> FloatArray:
        constraint = self.constraint
        room = np.full_like(change, np.inf)
        bounded = np.isfinite(constraint.allowed)
        room[bounded] = (change - constraint.allowed)[bounded] / constraint.scale[bounded]
        return room

    def _ascend(self, room: FloatArray, share: float) -> None:
        violation = np.where(np.isfinite(room), -room, 0.0)
        raised = self._multipliers + share * self._spec.lr * violation
        self._multipliers = np.clip(raised, 0.0, self._spec.max_multiplier)

    def _barrier(self, room: FloatArray) -> None:
        spec = self._spec
        edge = 1 / (spec.sharpness * spec.max_multiplier)
        self._multipliers = np.where(
            np.isfinite(room), 1 / (spec.sharpness * np.maximum(room, edge)), 0.0
        )
