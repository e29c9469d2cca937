"""BoTorch's qLogNEHVI over the weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from paretoflow.core.values import FloatArray, History, Proposal
from paretoflow.proposers.asked import Asked, one_by_one, seed_for
from tests.benchmarks.proposers.peers import (
    asked_of,
    opening,
    sticks_of,
    weighted_launch,
    weights_of,
)
from tests.benchmarks.proposers.problems import REF

SAMPLES = 64
STARTS, RAW = 2, 64
FIT_STEPS = 50
SMALLEST_VARIANCE = 1e-6


class BotorchPeer:
    """Noisy expected hypervolume improvement under a Gaussian process for each objective.

    Observations carry the evaluations' standard errors; pending launches are handed over as such.

    Args:
        m: Number of objectives.
    """

    def __init__(self, m: int) -> None:
        self._m = m

    def propose(
        self, history: History, pending: Sequence[Proposal], count: int, seed: int
    ) -> list[Proposal]:
        """Return the opening's launches, then the maximisers of the acquisition one by one."""
        model: list[Any] = []

        def choose(asked: Asked, now: Sequence[Proposal]) -> Proposal | None:
            first = opening(asked, history, seed, "botorch_nehvi")
            if first is not None:
                return first
            run_seed = seed_for(seed, asked)
            x, y, variance = observed(history)
            if not len(x):
                rng = np.random.default_rng(run_seed)
                return weighted_launch(rng.dirichlet(np.ones(self._m)), run_seed, "botorch_nehvi")
            waiting = np.array([sticks_of(p.weights.array) for p in now]).reshape(-1, self._m - 1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if not model:
                    model.append(fitted(x, y, variance))
                sticks = maximiser(model[0], x, waiting, self._m, run_seed)
            return weighted_launch(weights_of(sticks), run_seed, "botorch_nehvi")

        return one_by_one(choose, asked_of(history, pending), pending, count)


def observed(history: History) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each ended run's sticks, its last gains and their variances."""
    rows = [np.flatnonzero(history.run_index == i) for i in range(len(history.runs))]
    kept = [(run, found[-1]) for run, found in zip(history.runs, rows, strict=True) if len(found)]
    last = np.array([row for _, row in kept], dtype=np.int64)
    m = history.problem.m
    x = np.array([sticks_of(run.proposal.weights.array) for run, _ in kept]).reshape(-1, m - 1)
    variance = np.maximum(history.stderr[last] ** 2, SMALLEST_VARIANCE)
    return x, history.gains[last], variance


def fitted(x: FloatArray, y: FloatArray, variance: FloatArray) -> Any:
    """Return Gaussian processes fitted to what was observed."""
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.transforms import Standardize
    from gpytorch.mlls import ExactMarginalLogLikelihood

    model = SingleTaskGP(
        torch.from_numpy(x),
        torch.from_numpy(y),
        torch.from_numpy(variance),
        outcome_transform=Standardize(m=y.shape[1]),
    )
    likelihood = ExactMarginalLogLikelihood(model.likelihood, model)
    fit_gpytorch_mll(likelihood, optimizer_kwargs={"options": {"maxiter": FIT_STEPS}})
    return model


def maximiser(model: Any, x: FloatArray, waiting: FloatArray, m: int, seed: int) -> list[float]:
    """Return the sticks with the largest expected improvement beside what is pending."""
    import torch
    from botorch.acquisition.multi_objective import logei
    from botorch.optim import optimize_acqf
    from botorch.sampling import SobolQMCNormalSampler

    # else its first use compiles a kernel: minutes, and a compiler, for a third of the time
    logei._load_attempted = True
    torch.manual_seed(seed)
    acquisition = logei.qLogNoisyExpectedHypervolumeImprovement(
        model,
        ref_point=[REF] * m,
        X_baseline=torch.from_numpy(x),
        X_pending=torch.from_numpy(waiting) if len(waiting) else None,
        sampler=SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=seed),
        prune_baseline=True,
    )
    bounds = torch.tensor([[0.0] * (m - 1), [1.0] * (m - 1)], dtype=torch.float64)
    best, _ = optimize_acqf(
        acquisition,
        bounds,
        q=1,
        num_restarts=STARTS,
        raw_samples=RAW,
        options={"maxiter": 30},
    )
    return [float(v) for v in best[0]]
