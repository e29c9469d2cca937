"""Results of launches: exact, by an optimiser that stops early, or from recorded runs.

All are training oracles (`engine.oracles`): costs are shares of a run's time, scores are true
normalised gains, to which the weather adds noise. Those of `llm` and `sealed_llm` return scores by
prompt instead, and have a method `truth(state)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paretoflow.core.values import FloatArray, LaunchKind, Problem, Proposal
from paretoflow.engine.oracles import AnyOracle, OracleCheckpoint, TrainingTask
from tests.benchmarks.proposers.problems import Target
from tests.benchmarks.proposers.trainable import Trainable

TOLERANCE = 1e-9


class ExactOracle:
    """Looks up the best attainable point: the ranking of rules for choosing, not of trainers.

    A weighted launch finds the largest weighted sum; a constrained one the largest target among
    what keeps its thresholds, or the least summed shortfall if nothing does.

    By hand, of (0, 1), (.5, .5), (1, 0): raising the first while the second keeps .4 finds the
    middle one; keeping 1.2 is missed least by (0, 1).

    Args:
        gains: Attainable points, shape (k, m).
    """

    def __init__(self, gains: FloatArray) -> None:
        self._gains = gains

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Return the point found, at the end of the run."""
        return [OracleCheckpoint(1.0, self._gains[self.row_of(task.proposal)])]

    def row_of(self, proposal: Proposal) -> int:
        """Return the row of the attainable points that a launch finds."""
        gains = self._gains
        if proposal.kind is not LaunchKind.CONSTRAINED:
            return int((gains @ proposal.weights.array).argmax())
        assert proposal.target is not None
        short = shortfall(gains, proposal).round(12)
        return int(np.lexsort((-gains[:, proposal.target], short))[0])


def shortfall(gains: FloatArray, proposal: Proposal) -> FloatArray:
    """Return by how much rows miss a constrained launch's thresholds, summed, shape (k,)."""
    bounds = np.array(proposal.thresholds, dtype=np.float64) - TOLERANCE
    bounds[proposal.target] = -np.inf
    return np.asarray(np.maximum(bounds - gains, 0.0).sum(axis=1))


class ReplayOracle(ExactOracle):
    """Answers from recorded runs: a weighted launch gets the run with the nearest weights.

    A constrained one is answered as by `ExactOracle`, among all recorded points. A file holds one
    sweep, in oriented gains:

        {"sweep": "letters, dpo", "objectives": ["coverage", "brevity"],
         "runs": [{"weights": [0.5, 0.5], "gains": [[0.2, 0.3], [0.4, 0.5]]}, …]}

    with a row of `gains` for each checkpoint, at equal shares of the run's time.

    Args:
        path: The file.
        target: The front of the recorded points, whose ends normalise them.
    """

    def __init__(self, path: Path, target: Target) -> None:
        recorded = json.loads(path.read_text(encoding="utf-8"))
        ends = target.high - target.low
        self._runs = [(np.array(r["gains"]) - target.low) / ends for r in recorded["runs"]]
        self._weights = np.array([run["weights"] for run in recorded["runs"]], dtype=np.float64)
        self._owner = np.repeat(np.arange(len(self._runs)), [len(r) for r in self._runs])
        super().__init__(np.vstack(self._runs))

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Return the checkpoints of the recorded run that is the answer."""
        proposal = task.proposal
        if proposal.kind is LaunchKind.CONSTRAINED:
            points = self._runs[self._owner[self.row_of(proposal)]]
        else:
            distance = np.linalg.norm(self._weights - proposal.weights.array, axis=1)
            points = self._runs[int(distance.argmin())]
        return [OracleCheckpoint(1 / len(points), row) for row in points]


class Remembered:
    """Another oracle, which is asked once for each run that begins at the base.

    A sweep's luck depends on its seed and the run's place alone, so that the opening of a sweep is
    the same for all proposers.

    Args:
        inner: The oracle of one problem and one seed.
    """

    def __init__(self, inner: AnyOracle) -> None:
        self._inner: Any = inner
        self._known: dict[tuple[object, ...], Sequence[OracleCheckpoint]] = {}

    def __getattr__(self, name: str) -> Any:
        """Return what the other has, so that this one can do no more than that."""
        return getattr(self._inner, name)

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Return the checkpoints in order."""
        proposal = task.proposal
        if task.start is not None or proposal.kind is not LaunchKind.WEIGHTED:
            return self._inner.train(task, rng)
        key = task.run_id, task.attempt, proposal.weights.values
        if key not in self._known:
            self._known[key] = self._inner.train(task, rng)
        return self._known[key]


class TruncatedOracle:
    """Optimises for a fixed number of steps, from the parent or the base, as training does.

    Adam on finite differences over the unit box, every step's gradient disturbed. Runs end before
    they converge, so that a start near the goal is worth a launch; each leaves checkpoints equally
    far apart, the last at its end. A constrained run raises its target plus, for each other
    objective, a multiplier times its gain; the multiplier starts from the launch's weights and
    moves by what the threshold is missed by.

    The base stands for a pretrained model: a random start, brought by steps in the worst gain to
    where it begins to count against the reference point.

    Args:
        trainable: The problem over the unit box.
        target: Its front, whose ends normalise the gains.
        steps: Of a run.
        looks: Checkpoints of a run.
    """

    def __init__(
        self, trainable: Trainable, target: Target, steps: int = 40, looks: int = 2
    ) -> None:
        self._trainable = trainable
        self._target = target
        self._steps = steps
        self._looks = {steps * (i + 1) // looks for i in range(looks)}
        self._start = self._pretrained()

    def base(self, problem: Problem, rng: np.random.Generator) -> OracleCheckpoint:
        """Return the untrained model."""
        return OracleCheckpoint(0.0, self.gains_of(self._start[None])[0], state=self._start)

    def gains_of(self, u: FloatArray) -> FloatArray:
        """Return normalised gains of points of the unit box, shape (n, m)."""
        raw, _ = self._trainable.gains(u)
        return (raw - self._target.low) / (self._target.high - self._target.low)

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Return the checkpoints in order."""
        ascent = Ascent(self._start if task.start is None else task.start, rng)
        slopes = Slopes(task.proposal)
        found = []
        for step in range(1, self._steps + 1):
            gains, jacobian = self._jacobian(ascent.u)
            ascent.climb(slopes.weights(gains) @ jacobian)
            if step in self._looks:
                at = self.gains_of(ascent.u[None])[0]
                found.append(OracleCheckpoint(1 / len(self._looks), at, state=ascent.u.copy()))
        return found

    def _jacobian(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return gains, shape (m,), and their differences by each coordinate, shape (m, d)."""
        size = np.where(u > 0.5, -DIFFERENCE, DIFFERENCE)
        gains = self.gains_of(np.vstack([u[None], u[None] + np.diag(size)]))
        return gains[0], (gains[1:] - gains[0]).T / size

    def _pretrained(self) -> FloatArray:
        rng = np.random.default_rng(0)
        starts = rng.random((256, self._trainable.dims))
        ascent = Ascent(starts[self.gains_of(starts).min(axis=1).argmax()], rng)
        for _ in range(PRETRAINING):
            gains, jacobian = self._jacobian(ascent.u)
            if gains.min() > BASE_AT:
                break
            ascent.climb(np.exp((gains.min() - gains) / SOFT) @ jacobian)
        return ascent.u


DIFFERENCE = 1e-4
PRETRAINING = 400
BASE_AT = -0.1
"""The base's worst gain: where it begins to count."""
SOFT = 0.1


class Slopes:
    """How much each objective's gradient counts, step by step.

    Args:
        proposal: What the run is to do.
    """

    def __init__(self, proposal: Proposal) -> None:
        self._weights = proposal.weights.array
        self._target = proposal.target
        self._thresholds = np.array(proposal.thresholds or (), dtype=np.float64)
        if self._target is not None:
            self._weights = self._weights / max(self._weights[self._target], DUAL_FLOOR)

    def weights(self, gains: FloatArray) -> FloatArray:
        """Return the weights for the next step from gains, shape (m,)."""
        if self._target is not None:
            moved = self._weights + DUAL_RATE * (self._thresholds - gains)
            self._weights = np.clip(moved, 0.0, DUAL_CEILING)
            self._weights[self._target] = 1.0
        return self._weights / self._weights.sum()

    def at(self, truth: Callable[[FloatArray], FloatArray], state: FloatArray) -> FloatArray:
        """Return the weights for the next step from a state, whose gains only thresholds need."""
        fixed = self._target is None
        return self.weights(np.empty(0) if fixed else truth(state))


DUAL_FLOOR = 0.05
DUAL_RATE = 2.0
DUAL_CEILING = 20.0


class Ascent:
    """Adam in the unit box, with noise on the gradient.

    Args:
        u: Where it starts, shape (d,).
        rng: Of the noise.
    """

    def __init__(self, u: FloatArray, rng: np.random.Generator) -> None:
        self.u = u.copy()
        self._rng = rng
        self._mean = np.zeros_like(u)
        self._square = np.zeros_like(u)
        self._step = 0

    def climb(self, slope: FloatArray) -> None:
        """Take one step up."""
        self._step += 1
        noisy = slope + NOISE * np.linalg.norm(slope) / np.sqrt(
            len(slope)
        ) * self._rng.standard_normal(len(slope))
        self._mean = 0.9 * self._mean + 0.1 * noisy
        self._square = 0.99 * self._square + 0.01 * noisy**2
        mean = self._mean / (1 - 0.9**self._step)
        square = self._square / (1 - 0.99**self._step)
        self.u = np.clip(self.u + RATE * mean / (np.sqrt(square) + 1e-12), 0.0, 1.0)


RATE = 0.01
NOISE = 0.3
"""Of the gradient, as a share of its root mean square."""
