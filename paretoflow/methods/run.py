"""One training run on a TRL trainer: adapter on, train, adapter off.

Everything that methods have in common is here; a method only says how its trainer is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch.nn import Dropout
from transformers import PrinterCallback, Trainer

from paretoflow.core.protocols import Checkpoint, TrainRequest
from paretoflow.lm.adapters import fresh_adapter, load_adapter, unload
from paretoflow.methods.arguments import shared_arguments
from paretoflow.methods.checkpoints import CheckpointCallback
from paretoflow.methods.context import MethodContext
from paretoflow.methods.dual import DualController
from paretoflow.spec.methods import MethodSpec


@dataclass(frozen=True)
class Run:
    """What a method builds its trainer from.

    Args:
        model: The base with the adapter to train, named "default".
        controller: Holds the weights in force; read them for each batch, since they may move.
        arguments: Keyword arguments for the trainer's config, common to all methods.
    """

    request: TrainRequest
    model: Any
    controller: DualController
    arguments: dict[str, Any]


def train_run(
    context: MethodContext,
    spec: MethodSpec,
    request: TrainRequest,
    report: Callable[[Checkpoint], None],
    build: Callable[[Run], Trainer],
) -> None:
    """Train one launch with the trainer that `build` returns; reports as `Method.train` promises.

    Raises:
        MethodError: If the loss, its gradient or the adapter is not finite; no such adapter is ever
            saved.
    """
    controller = DualController(spec.dual, request.proposal, context.scale)
    with _adapter(context, request) as model:
        callback = CheckpointCallback(spec, request, model, controller, report, context.validate)
        arguments = shared_arguments(spec, request, context.lm)
        trainer = build(Run(request, model, controller, arguments))
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(callback)
        trainer.train()


def drop_reference_copy(model: Any) -> None:
    """Remove the frozen copy of the starting adapter: the base is the reference, not the parent.

    Without the copy TRL takes the reference by switching the adapter off, also when a run starts
    from a parent.
    """
    if "ref" in model.peft_config:
        model.delete_adapter("ref")


@contextmanager
def _adapter(context: MethodContext, request: TrainRequest) -> Iterator[Any]:
    base = context.lm.model
    own_forward = vars(base).get("forward")
    for layer in base.modules():
        if isinstance(layer, Dropout):
            layer.p = 0.0  # as in the reference; the adapter's own dropout is the spec's
    if request.parent_adapter is None:
        model = fresh_adapter(context.lm, context.lora, request.seed)
    else:
        model = load_adapter(context.lm, request.parent_adapter, trainable=True)
    try:
        yield model
    finally:
        unload(model)
        # TRL wraps the forward for its fused head; left on, the next run would wrap the wrapper
        vars(base).pop("forward", None)
        if own_forward is not None:
            base.forward = own_forward
