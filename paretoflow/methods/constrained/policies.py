"""Copy, restore and mix the trained parameters of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from paretoflow.methods.distributed.sharded import is_sharded

Policy = list[torch.Tensor]
"""Values of a run's trained parameters, in the model's order, on the CPU."""


def trained_parameters(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Return the parameters that a run trains, in the model's order."""
    return [p for p in model.parameters() if p.requires_grad]


def copied(model: torch.nn.Module) -> Policy:
    """Return a copy of the trained parameters; every rank must call it."""
    parameters = trained_parameters(model)
    if not is_sharded(model):
        return _values(parameters)
    from deepspeed.runtime.zero import GatheredParameters

    with GatheredParameters(parameters):
        return _values(parameters)


def put(model: torch.nn.Module, policy: Sequence[torch.Tensor]) -> None:
    """Set the trained parameters to rank 0's policy; every rank must call it.

    The optimiser state is unchanged: only looks and saves may follow.
    """
    parameters = trained_parameters(model)
    if not is_sharded(model):
        _assign(parameters, policy)
        return
    from deepspeed.runtime.zero import GatheredParameters

    with GatheredParameters(parameters, modifier_rank=0):
        _assign(parameters, policy)


def mixed(low: Policy, high: Policy, share: float) -> Policy:
    """Return the policy that lies the given share of the way from one to another.

    By hand: parameters 1 and 3 at share 0.25 are 1.5. Share 0 is `low` itself and 1 is `high`.
    """
    return [(1 - share) * a + share * b for a, b in zip(low, high, strict=True)]


def _values(parameters: Sequence[Any]) -> Policy:
    return [p.detach().to("cpu", copy=True) for p in parameters]


def _assign(parameters: Sequence[Any], policy: Sequence[torch.Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(parameters, policy, strict=True):
            parameter.copy_(value)
