"""A base that ZeRO 3 shards over the ranks: loaded, lent to rank 0, and trained without a copy.

ZeRO 3 keeps a part of every parameter on each rank, including those of the frozen base. They are
partitioned as they are read, so that no rank holds the base whole, and stay so between runs. Where
rank 0 evaluates, the other ranks lend it their parts of one layer after another (`lent`): it needs
them one at a time, and the others compute nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import distributed, nn

from paretoflow.core.errors import WorkerError
from paretoflow.core.protocols import Parallel
from paretoflow.methods.distributed.ranks import Ranks, joined

if TYPE_CHECKING:
    from paretoflow.lm.base import LanguageModel

T = TypeVar("T")
_WELL, _FAILED = -1, -2
"""Sent to the other ranks in place of a unit's number, when rank 0 needs no more of them."""


def is_sharded(model: nn.Module) -> bool:
    """Return whether ZeRO 3 manages a model's parameters."""
    return any(hasattr(p, "ds_id") for p in model.parameters())


def shard_of(parameter: torch.Tensor) -> torch.Tensor:
    """Return this rank's part of a parameter: its shard, or all of it."""
    shard: torch.Tensor = getattr(parameter, "ds_tensor", parameter)
    return shard


def whole_size(parameter: torch.Tensor) -> int:
    """Return the number of elements of a parameter, those on other ranks included."""
    return int(getattr(parameter, "ds_numel", parameter.numel()))


def offloaded(parallel: Parallel) -> dict[str, Any]:
    """Return the part of DeepSpeed's settings of ZeRO that loading and training share."""
    zero: dict[str, Any] = {"stage": parallel.zero}
    if parallel.offload and parallel.zero == 3:
        zero["offload_param"] = {"device": "cpu"}
    return zero


@contextmanager
def loading(parallel: Parallel, device: str, dtype: str) -> Iterator[None]:
    """Partition the models that transformers loads in the block, at ZeRO 3; every rank must enter.

    Args:
        parallel: This rank.
        device: Device of the base, "cpu" or "cuda".
        dtype: Precision of the base, for instance "bfloat16".
    """
    if parallel.zero != 3:
        yield
        return
    from transformers.integrations.deepspeed import HfDeepSpeedConfig

    config = {
        "train_micro_batch_size_per_gpu": 1,
        "zero_optimization": offloaded(parallel),
        "bf16": {"enabled": dtype == "bfloat16"},
        "fp16": {"enabled": dtype == "float16"},
    }
    with joined(parallel, device):
        registered = HfDeepSpeedConfig(config)  # transformers keeps a weak reference
        yield
        del registered


@contextmanager
def lent(model: nn.Module, ranks: Ranks) -> Iterator[bool]:
    """Let rank 0 run a sharded model in the block; every rank must enter.

    The block of rank 0 comes first. The other ranks take part in its gathers of one unit after
    another, and enter their own blocks once it has ended; in these the model may not be run. The
    trained parameters are gathered on all ranks for both blocks. A model that is not sharded is
    unchanged, and the blocks run at the same time.

    DeepSpeed's own hooks must be off, see `without_hooks`.

    Yields:
        False on the other ranks, if the block of rank 0 has raised.
    """
    if not is_sharded(model):
        yield True
        return
    units = _units(model)
    with adapter_gathered(model):
        if ranks.main:
            with _led(units, ranks):
                yield True
        else:
            yield _served([params for _, params in units], ranks)


def found_by_first(lm: LanguageModel, work: Callable[[], T]) -> T:
    """Return what rank 0 finds with the base, on all ranks where it is sharded; they must call it.

    Raises:
        WorkerError: On the other ranks, if rank 0 has raised.
    """
    if not is_sharded(lm.model):
        return work()
    ranks = Ranks(Parallel(distributed.get_rank(), distributed.get_world_size(), 3), lm.device)
    value = None
    with lent(lm.model, ranks) as well:
        if ranks.main:
            value = work()
    if not well:
        raise WorkerError("another rank of the worker group failed with the base")
    found: T = ranks.shared(value)
    return found


@contextmanager
def adapter_gathered(model: nn.Module) -> Iterator[None]:
    """Gather a sharded model's trained parameters for the block; every rank must enter."""
    with _gathered([p for p in model.parameters() if p.requires_grad]):
        yield


@contextmanager
def without_hooks(engine: Any) -> Iterator[None]:
    """Remove DeepSpeed's hooks from a model in training for the block; every rank must enter.

    Args:
        engine: The trainer's wrapped model.
    """
    if not is_sharded(engine):
        yield
        return
    from trl.models.utils import add_hooks, remove_hooks

    remove_hooks(engine)
    # TRL leaves the hook at the start of a forward pass, which waits for all ranks
    optimizer = engine.optimizer
    offload = getattr(optimizer, "parameter_offload", optimizer)
    before, number = offload.module._forward_pre_hooks, offload.fwd_pre_hook.id
    start = before.pop(number)
    try:
        yield
    finally:
        before[number] = start
        before.move_to_end(number, last=False)
        add_hooks(engine)


@contextmanager
def whole(engine: Any) -> Iterator[None]:
    """Gather a sharded model in the block without DeepSpeed's hooks, so that it runs as usual.

    Every rank must enter, and holds the whole base meanwhile.

    Args:
        engine: The trainer's wrapped model.
    """
    with _gathered(list(engine.parameters())), without_hooks(engine):
        yield


def release(engine: Any, *, sharded: bool) -> None:
    """Remove DeepSpeed from a model; every rank must call it.

    Args:
        engine: The trainer's wrapped model.
        sharded: Whether the base was sharded before the run, and stays so.
    """
    model = engine.module
    engine.destroy()
    if not is_sharded(model):
        return
    from deepspeed.runtime.zero import parameter_offload

    parameter_offload.FWD_MODULE_STACK.clear()  # it keeps every model of the process alive
    if sharded:
        parameters = list(model.parameters())
        parameters[0].partition(param_list=parameters)
    else:
        _unshard(model)


@contextmanager
def attributes_kept(model: nn.Module) -> Iterator[None]:
    """Remove the attributes that the block has set on the modules and parameters.

    DeepSpeed leaves closures over its engine behind, and the next engine would find and use them.
    """
    holders: list[Any] = [*model.modules(), *model.parameters()]
    before = [(holder, frozenset(vars(holder))) for holder in holders]
    try:
        yield
    finally:
        for holder, names in before:
            for name in vars(holder).keys() - names:
                delattr(holder, name)


def _units(model: nn.Module) -> list[tuple[nn.Module, list[nn.Parameter]]]:
    """Return the modules before which frozen parameters are gathered, with these, in one order.

    A unit is a layer of the model, or a module outside of all layers. The order is the same on all
    ranks, also where rank 0 alone has put an adapter on the base.
    """
    units: list[tuple[nn.Module, list[nn.Parameter]]] = []

    def visit(module: nn.Module, *, is_layer: bool) -> None:
        held = [p for p in module.parameters(is_layer) if hasattr(p, "ds_id")]
        frozen = [p for p in held if not p.requires_grad]
        if frozen:
            units.append((module, frozen))
        for child in () if is_layer else module.children():
            visit(child, is_layer=isinstance(module, nn.ModuleList))

    visit(model, is_layer=False)
    return units


@contextmanager
def _gathered(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Gather sharded parameters for the block; every rank must enter."""
    sharded = [p for p in parameters if hasattr(p, "ds_id")]
    if not sharded:
        yield
        return
    from deepspeed.runtime.zero import GatheredParameters

    with GatheredParameters(sharded):
        yield


@contextmanager
def _led(units: Sequence[tuple[nn.Module, list[nn.Parameter]]], ranks: Ranks) -> Iterator[None]:
    """On rank 0: gather each unit before its forward pass, and release it after."""
    handles = []
    for number, (module, parameters) in enumerate(units):
        unit = _Unit(number, parameters, ranks)
        handles.append(module.register_forward_pre_hook(unit.gather))
        handles.append(module.register_forward_hook(unit.release, always_call=True))
    end = _FAILED
    try:
        yield
        end = _WELL
    finally:
        for handle in handles:
            handle.remove()
        ranks.number(end)


class _Unit:
    """A unit of a sharded model on rank 0."""

    def __init__(self, number: int, parameters: Sequence[nn.Parameter], ranks: Ranks) -> None:
        self._number, self._parameters, self._ranks = number, parameters, ranks
        self._held = ExitStack()

    def gather(self, *_: Any) -> None:
        self._ranks.number(self._number)
        self._held.enter_context(_gathered(self._parameters))

    def release(self, *_: Any) -> None:
        self._held.close()


def _served(units: Sequence[Sequence[nn.Parameter]], ranks: Ranks) -> bool:
    """On the other ranks: lend rank 0 the units that it asks for; return whether it ended well."""
    while (number := ranks.number()) >= 0:
        with _gathered(units[number]):
            pass
    return number == _WELL


def _unshard(model: nn.Module) -> None:
    """Make plain parameters of sharded ones, one at a time: two copies of the base may not fit."""
    plain: dict[int, nn.Parameter] = {}
    for parameter in model.parameters():
        with _gathered([parameter]), torch.no_grad():
            data = parameter.detach().clone()
        plain[id(parameter)] = nn.Parameter(data, requires_grad=parameter.requires_grad)
    for module in model.modules():
        module._parameters = {
            name: None if parameter is None else plain[id(parameter)]
            for name, parameter in module._parameters.items()
        }
