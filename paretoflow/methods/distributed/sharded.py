"""Models under ZeRO 3: gathered for a look, and unsharded after the run.

ZeRO 3 shards every parameter in place, including those of the frozen base. After a run each one is
gathered once and becomes a plain parameter again. That costs one pass over the network and no
second copy of the base; a copy would cost the memory that ZeRO 3 saves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def is_sharded(model: torch.nn.Module) -> bool:
    """Return whether ZeRO 3 manages a model's parameters."""
    return any(hasattr(p, "ds_id") for p in model.parameters())


def shard_of(parameter: torch.Tensor) -> torch.Tensor:
    """Return this rank's part of a parameter: its shard, or all of it."""
    shard: torch.Tensor = getattr(parameter, "ds_tensor", parameter)
    return shard


@contextmanager
def whole(engine: Any) -> Iterator[None]:
    """Gather a sharded model in the block without DeepSpeed's hooks, so that it runs as usual.

    Every rank must enter. Any other model is unchanged.

    Args:
        engine: The trainer's wrapped model.
    """
    if not is_sharded(engine):
        yield
        return
    from deepspeed.runtime.zero import GatheredParameters
    from trl.models.utils import add_hooks, remove_hooks

    with GatheredParameters(list(engine.parameters())):
        remove_hooks(engine)
        try:
            yield
        finally:
            add_hooks(engine)


def release(engine: Any) -> None:
    """Remove DeepSpeed from a model for good; every rank must call it.

    Args:
        engine: The trainer's wrapped model.
    """
    model = engine.module
    sharded = is_sharded(model)
    engine.destroy()
    if sharded:
        _unshard(model)


@contextmanager
def attributes_kept(model: torch.nn.Module) -> Iterator[None]:
    """Remove the attributes that the block has set on the modules.

    DeepSpeed leaves closures over its engine behind, and the next engine would find and use them.
    """
    before = {module: frozenset(vars(module)) for module in model.modules()}
    try:
        yield
    finally:
        for module, names in before.items():
            for name in vars(module).keys() - names:
                del vars(module)[name]


def _unshard(model: torch.nn.Module) -> None:
    from deepspeed.runtime.zero import GatheredParameters, parameter_offload

    plain: dict[int, torch.nn.Parameter] = {}
    for parameter in model.parameters():  # one at a time: two copies of the base may not fit
        with GatheredParameters([parameter]), torch.no_grad():
            data = parameter.detach().clone()
        plain[id(parameter)] = torch.nn.Parameter(data, requires_grad=parameter.requires_grad)
    for module in model.modules():
        module._parameters = {
            name: None if parameter is None else plain[id(parameter)]
            for name, parameter in module._parameters.items()
        }
    parameter_offload.FWD_MODULE_STACK.clear()  # it keeps every model of the process alive
