"""Alignment methods: each turns one launch into checkpoints, from a plain shell, without Ray.

How to add one (the tag is the YAML `method.type` and the module's name):

1. Its knobs: a spec in its family's module of `spec/methods/` with `type: Literal["<tag>"]`, joined
   to `MethodSpec`.
2. Its code: `methods/<family>/<tag>.py` with a class `(spec, context)` that satisfies
   `core.protocols.Method`. A method on preference pairs under one of TRL's losses states its
   options (`offline.base.PairMethod`, see `offline/dpo.py`); one with a loss of its own on
   log-ratios states batch and loss (`offline.ratio_trainer.RatioTrainer`, see `offline/lipo.py`);
   one on another TRL trainer states how that trainer is built (`training.run.TrainedMethod`,
   or `online.base.OnlineMethod`, see `online/grpo.py`). Adapters, checkpoints, costs, the dual
   controller and the fault checks come from `training.run.train_run`.
3. One line in `TAGS` of `registry.py`, and one entry in `CAPABILITIES` of `spec/capabilities.py`.
4. One line in `SPECS` of `tests/contracts/test_methods.py`, which then runs the whole conformance
   suite over it.

A package imports only what stands below it here:

    online, conditioned, gradients, merging, external   families of methods
    offline        methods on the base's scored answers, and their trainers
    training       one run on a TRL trainer: start, checkpoints, states, end
    preferences    scored answers as pairs, lists and labels, for any weights
    constrained    thresholds, dual weights and the result of a constrained launch
    distributed    the ranks of a worker group, their files and their shards

Importing this package loads no torch: `build` imports the chosen module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from paretoflow.core.protocols import Method
from paretoflow.methods.distributed.untracked import without_trackers
from paretoflow.methods.registry import TAGS
from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.methods import MethodSpec, units_of

if TYPE_CHECKING:
    from paretoflow.methods.training.context import MethodContext

__all__ = ["TAGS", "build"]


def build(spec: MethodSpec, context: MethodContext) -> Method:
    """Return the method that the spec names, around a loaded base and the sweep's shared tables.

    It does not see the objectives that training cannot change, unless it is a user's program.

    Raises:
        SpecError: If the knobs contradict each other.
    """
    candidates = replace(context.candidates, standard=units_of(spec))
    context = replace(context, candidates=candidates)
    module, name = TAGS[spec.type].split(":")
    with without_trackers():
        loaded = import_module(module)
    kind: Callable[[MethodSpec, MethodContext], Method] = getattr(loaded, name)
    capabilities = CAPABILITIES[spec.type]
    if not context.unmoved or capabilities.kind == "program":
        return kind(spec, context)
    from paretoflow.methods.merging.untrained import UntrainedMethod
    from paretoflow.methods.objective_subset import narrowed

    idle = UntrainedMethod(context) if capabilities.serves == "point" else None
    return narrowed(partial(kind, spec), context, idle)
