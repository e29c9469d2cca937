"""IBCL: mixtures of the posteriors over parameters from each run's checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from statistics import NormalDist

import torch
from torch import Tensor

from paretoflow.core.errors import MethodError
from paretoflow.core.protocols import AttemptContext
from paretoflow.lm.lora_files import Factors, LoraAdapter
from paretoflow.lm.merging import averaged_factors, concatenated
from paretoflow.methods.merging.mixed import Mixed, asked, coefficients_of, option, parents_of
from paretoflow.methods.training.context import MethodContext

INTERVAL = 0.9
"""Default probability of the interval that a parameter is drawn from."""


def from_posteriors(context: MethodContext, attempt: AttemptContext) -> Mixed:
    """Mix one draw, or the mean, of each run's posterior by the launch's coefficients.

    The option `groups`, for instance "3,2", says how many parents in a row are checkpoints of one
    run; a run's coefficient is their sum. Every parameter p of a run has the posterior N(mean over
    its checkpoints, variance over them), whose highest-density interval of probability `interval`
    is mean +- z sd; a run's draw is uniform in it. The draws are mixed exactly.

    By hand: checkpoints 1, 2, 3 give mean 2 and sd 1; 0.9 gives z = 1.645, so draws lie between
    0.355 and 3.645; with an interval of 0 the draw is 2.

    References:
        Lu et al. 2023, arXiv 2305.14782 (IBCL), alg. 1 and 2. Departures: (1) posteriors come from
        the checkpoints of a run, as in SWAG (Maddox et al. 2019, arXiv 1902.02476, diagonal part),
        not from variational inference; (2) LoRA factors of two runs have no common coordinates, so
        intervals are of each run's own parameters, and the convex mix is of their changes of the
        weights; (3) one model is returned, by the launch's seed, and the sweep's evaluation takes
        the place of the test against a target; (4) no extreme is discarded because it is near
        another.
    """
    merge = asked(attempt.launch)
    parents, coefficients = parents_of(attempt), coefficients_of(merge)
    given = dict(merge.options).get("groups", ",".join("1" for _ in parents))
    sizes = [int(n) for n in str(given).split(",")]
    if sum(sizes) != len(parents) or min(sizes) < 1 or len(coefficients) != len(parents):
        raise MethodError(
            f"got groups {given} and {len(coefficients)} coefficients for {len(parents)} parents",
            f"run {attempt.launch.run_id}",
        )
    z = NormalDist().inv_cdf(0.5 + option(merge, "interval", INTERVAL) / 2)
    generator = torch.Generator().manual_seed(attempt.launch.seed)
    ends = list(accumulate(sizes))
    spans = [slice(end - n, end) for n, end in zip(sizes, ends, strict=True)]
    draws = [drawn(parents[span], z, generator) for span in spans]
    shares = torch.tensor([coefficients[span].sum() for span in spans]).numpy()
    return Mixed(concatenated(draws, shares), {"checkpoints": float(len(parents))})


def drawn(checkpoints: Sequence[LoraAdapter], z: float, generator: torch.Generator) -> LoraAdapter:
    """Return a draw of a run: every parameter uniform within z standard deviations of its mean.

    Args:
        checkpoints: Checkpoints of one run, at least one.
        z: Half the interval's width in standard deviations.
        generator: Random generator of the draw.

    Raises:
        ModelError: If the checkpoints are not of one run: ranks, scales or targets differ.
    """
    even = torch.full((len(checkpoints),), 1 / len(checkpoints), dtype=torch.float64).numpy()
    mean = averaged_factors(checkpoints, even)

    def draw(values: Sequence[Tensor]) -> Tensor:
        stack = torch.stack(list(values))
        spread = stack.std(dim=0) if len(stack) > 1 else torch.zeros_like(stack[0])
        offset = 2 * torch.rand(spread.shape, generator=generator) - 1
        return stack.mean(dim=0) + z * spread * offset

    modules = {}
    for name, factors in mean.modules.items():
        own = [c.modules[name] for c in checkpoints]
        down, up = draw([f.down for f in own]), draw([f.up for f in own])
        modules[name] = Factors(down, up, factors.scale)
    return replace(mean, modules=modules)
