"""Rules for worker groups and the budget: supported resources, and limits that can hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.engine import ResourcesSpec
from paretoflow.spec.methods.aggregators import GradDynamicSpec
from paretoflow.spec.methods.online import AggregatedMethodBase
from paretoflow.spec.models import ModelSpec, PretrainedModelSpec
from paretoflow.spec.positions import Fault
from paretoflow.spec.shape import KeyPath

LEAST_SHARE = 1e-4
"""Smallest share of a GPU; Ray counts in ten-thousandths."""
LONGEST_PREFIX = 253
_ONE = r"[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?"
_LABEL = re.compile(_ONE)
_PREFIX = re.compile(rf"(?:{_ONE})?(?:\.(?:{_ONE})?)*")
_WANTED = re.compile(rf"!?(?:{_ONE}|(?:in)?\({_ONE}(?:, ?{_ONE})*\))")
_RESOURCES: KeyPath = ("engine", "resources")


def _ranks(draft: Draft) -> Iterator[Fault]:
    """Yield faults of a method that does not support the spec's ranks or ZeRO stage."""
    if draft.method is None or draft.engine is None:
        return
    tag, resources = draft.method.type, draft.engine.resources
    capabilities = CAPABILITIES[tag]
    note = f" ({capabilities.distributed_note})" if capabilities.distributed_note else ""
    if resources.zero > 0 and capabilities.distributed != "zero":
        what = f"got zero {resources.zero}; allowed: 0, since {tag} cannot be sharded{note}"
        hint = f"remove it, or choose another method: {_able('zero')} can"
        yield Fault((*_RESOURCES, "zero"), what, hint)
    if resources.ranks > 1 and capabilities.distributed == "single":
        what = f"got {resources.ranks} ranks; allowed: 1, since {tag} trains on one rank only{note}"
        hint = "write `ranks: 1` and raise engine.worker_groups, or choose another method: "
        yield Fault((*_RESOURCES, "ranks"), what, f"{hint}{_able('ddp', 'zero')} can")


def _able(*kinds: str) -> str:
    return ", ".join(tag for tag, c in sorted(CAPABILITIES.items()) if c.distributed in kinds)


def _aggregation(draft: Draft) -> Iterator[Fault]:
    method = draft.method
    if draft.engine is None or not isinstance(method, AggregatedMethodBase):
        return
    resources = draft.engine.resources
    alone = resources.ranks == 1 and resources.zero == 0
    if isinstance(method.aggregation, GradDynamicSpec) and not alone:
        what = f"got grad_dynamic for {resources.ranks} ranks at zero {resources.zero}; allowed: "
        what += "1 rank at zero 0, since it takes a gradient for each objective"
        hint = "change engine.resources, or the aggregation, for instance to hv_dynamic"
        yield Fault(("method", "aggregation"), what, hint)


def _offload(draft: Draft) -> Iterator[Fault]:
    if draft.engine is None or not draft.engine.resources.offload:
        return
    if draft.engine.resources.zero == 0:
        what = "got offload at zero 0; allowed: at zero 1, 2 or 3, where there is DeepSpeed ZeRO"
        yield Fault((*_RESOURCES, "offload"), what, "set engine.resources.zero, or remove this")


def _devices(draft: Draft) -> Iterator[Fault]:
    if draft.engine is None:
        return
    resources = draft.engine.resources
    gpus = resources.gpus_per_rank
    if 0 < gpus < 1 and resources.ranks > 1:
        what = f"got {gpus:g} for {resources.ranks} ranks; allowed: 0 or 1, as two ranks could "
        what += "land on one device, which their communication refuses"
        hint = "write 1, or a worker group of one rank"
        yield Fault((*_RESOURCES, "gpus_per_rank"), what, hint)
    elif 0 < gpus < LEAST_SHARE:
        what = f"got {gpus:g}; allowed: 0, or at least {LEAST_SHARE:g}, the least share that Ray "
        what += "gives of a device"
        yield Fault(
            (*_RESOURCES, "gpus_per_rank"), what, "write 0 for none", code="spec-not-allowed"
        )
    if isinstance(draft.model, PretrainedModelSpec) and draft.model.device == "cuda" and gpus == 0:
        what = "the model is to run on a GPU, and a rank gets none"
        hint = "set engine.resources.gpus_per_rank to 1, or the device to auto"
        yield Fault(("model", "device"), what, hint)
    yield from _precision(draft.model, resources)


def _labels(draft: Draft) -> Iterator[Fault]:
    """Yield faults of labels that Ray would refuse."""
    for key, value in draft.engine.resources.labels.items() if draft.engine else ():
        path: KeyPath = (*_RESOURCES, "labels", key)
        prefix, _, name = key.rpartition("/")
        dns = len(prefix) <= LONGEST_PREFIX and _PREFIX.fullmatch(prefix)
        if not _LABEL.fullmatch(name) or ("/" in key and not dns):
            what = f"got the label {key!r}; allowed: letters, digits and `-_.` between them, at "
            what += "most 63, after an optional domain and `/`"
            hint = "write it as `ray status` or the cluster's page has it"
            yield Fault(path, what, hint, at_key=True, code="spec-not-allowed")
        if value and not _WANTED.fullmatch(value):
            what = f"got {value!r}; allowed: a label, `!label`, `in(a, b)` or `!in(a, b)`"
            hint = "in a label are letters, digits and `-_.`, at most 63"
            yield Fault(path, what, hint, code="spec-not-allowed")


def _precision(model: ModelSpec | None, resources: ResourcesSpec) -> Iterator[Fault]:
    if not isinstance(model, PretrainedModelSpec) or model.dtype == "float32":
        return
    together = resources.ranks > 1 or resources.zero > 0
    if together and (model.device == "cpu" or resources.gpus_per_rank == 0):
        what = f"got {model.dtype} on the CPU with several ranks or ZeRO; allowed: float32"
        yield Fault(("model", "dtype"), what, "write float32, or give each rank a GPU")


def _cost(draft: Draft) -> Iterator[Fault]:
    bounded = draft.stop is not None and draft.stop.cost is not None
    paid = any(getattr(objective, "price", None) for _, objective in draft.objectives)
    if bounded and not paid and draft.engine is not None and draft.engine.price == 0:
        what = "a bound on the cost never holds while a device costs nothing"
        yield Fault(("stop", "cost"), what, "set engine.price, the cost of one device for one hour")


def _rungs(draft: Draft) -> Iterator[Fault]:
    """Yield faults of rungs that no checkpoint reaches before a run's end, or without effect."""
    asked, method = draft.stop.rungs if draft.stop else None, draft.method
    if asked is None or method is None:
        return
    every = method.checkpoint_every or method.steps
    last = (method.steps - 1) // every * every
    if CAPABILITIES[method.type].serves != "point":
        what = f"got rungs; allowed: none for {method.type}, since one artifact of it serves all "
        what += "preferences and is not to be compared by one point"
        yield Fault(("stop", "rungs"), what, "remove them")
    elif last == 0:
        what = "rungs compare checkpoints on the way, and a run has only its last one"
        hint = f"set method.checkpoint_every, for instance to {max(1, method.steps // 9)}"
        yield Fault(("stop", "rungs"), what, hint)
    elif asked.first is not None and asked.first > last:
        what = f"got {asked.first}; allowed: at most {last}, the last checkpoint before the end"
        yield Fault(("stop", "rungs", "first"), what, "remove it to begin at the first checkpoint")


RULES: tuple[Rule, ...] = (_ranks, _aggregation, _offload, _devices, _labels, _cost, _rungs)
