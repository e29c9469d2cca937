"""Oracles with a known front, for whole sweeps in virtual time."""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import LaunchKind, Proposal

ANGLES = np.linspace(0.0, np.pi / 2, 721)
CIRCLE = np.stack([np.sin(ANGLES), np.cos(ANGLES)], axis=1)
"""A concave front: every weighted sum picks an end of it. Maximise both."""


class CircleOracle:
    """Answers with the exact optimum on a front that bulges towards the reference point.

    A weighted launch gets the best point for its weights; a constrained one the best in its target
    among those that keep its thresholds. Two checkpoints: halfway and there.
    """

    def __init__(self) -> None:
        self.front = 1.0 - CIRCLE

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float]]]:
        best = self.front[self._choice(proposal)]
        cost = float(rng.lognormal(0.0, 0.5))
        return [(cost / 2, (best - 0.2).tolist()), (cost / 2, best.tolist())]

    def _choice(self, proposal: Proposal) -> int:
        if proposal.kind is LaunchKind.CONSTRAINED:
            assert proposal.thresholds is not None
            assert proposal.target is not None
            others = [i for i in range(2) if i != proposal.target]
            keeps = (self.front[:, others] >= np.asarray(proposal.thresholds)[others] - 1e-12).all(
                axis=1
            )
            if keeps.any():
                return int(np.flatnonzero(keeps)[self.front[keeps, proposal.target].argmax()])
        return int((self.front @ np.asarray(proposal.weights)).argmax())


class NoisyOracle(CircleOracle):
    """Adds an error of 0.05 to every score, new in every evaluation; checkpoints take 10 s."""

    ERROR = np.full(2, 0.05)

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float], list[float]]]:
        plain = super().launch(proposal, rng)
        return [(10 * cost, *self._seen(scores, rng)) for cost, scores in plain]

    def reevaluate(
        self,
        proposal: Proposal,
        step: int,
        rng: np.random.Generator,
        noise: np.random.Generator,
    ) -> tuple[float, list[float], list[float]]:
        return (1.0, *self._seen(CircleOracle.launch(self, proposal, rng)[step - 1][1], noise))

    def _seen(
        self, scores: list[float], rng: np.random.Generator
    ) -> tuple[list[float], list[float]]:
        return (np.array(scores) + rng.normal(0.0, self.ERROR)).tolist(), self.ERROR.tolist()


class MixingOracle(CircleOracle):
    """Experts find the ends of the front; a mixture's gains follow from its weights.

    They bulge out of the straight line between the ends; a mixture costs a tenth of a second.
    """

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float]]]:
        if proposal.merge is None:
            return super().launch(proposal, rng)
        share = np.asarray(proposal.weights)
        return [(0.1, (share * (2.0 - share)).tolist())]


class BrokenOracle(CircleOracle):
    """Returns nan for about a quarter of the attempts."""

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float]]]:
        answer = super().launch(proposal, rng)
        return [(1.0, [float("nan"), 0.5])] if rng.random() < 0.25 else answer


class HopelessOracle:
    """Raises on every launch."""

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float]]]:
        raise ValueError("this oracle knows nothing")


class QuickstartOracle:
    """A made-up trade for `jobs/quickstart.yaml`: coverage rises with words, ever more slowly."""

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float]]]:
        """Return one checkpoint: the best words for the weights, or for the thresholds."""
        words = np.linspace(2.0, 50.0, 481)
        gains = np.stack([1.0 - np.exp(-words / 15.0), -words], axis=1)
        merit = gains @ (np.asarray(proposal.weights) * (1.0, 1.0 / 60.0))
        if proposal.thresholds is not None and proposal.target is not None:
            other = 1 - proposal.target
            kept = gains[:, other] >= proposal.thresholds[other]
            merit = np.where(kept, gains[:, proposal.target], -np.inf) if kept.any() else merit
        best = gains[int(merit.argmax())]
        coverage = float(best[0] + rng.normal(0.0, 0.01))
        return [(float(rng.lognormal(3.0, 0.3)), [coverage, float(-best[1])])]
