"""Rules for the forms of an adapter: what cannot be merged, sharded or given to heads."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.capabilities import BEYOND_WEIGHTED
from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.lora_arguments import PASSED_ON, REFUSED
from paretoflow.spec.nested import nested
from paretoflow.spec.positions import Fault
from paretoflow.spec.rules.passed_on import Library
from paretoflow.spec.shape import KeyPath

_PLACE: KeyPath = ("model", "lora")
LORA = Library("PEFT's LoraConfig", PASSED_ON, REFUSED)
"""Arguments of `model.lora.peft`."""
_OWN_LAYERS = {
    "mah_dpo": "mixes the factors of its heads",
    "meet": "trains rows of one factor first",
}
"""Methods that work on the factors of a layer themselves."""


def _peft(draft: Draft) -> Iterator[Fault]:
    """Find arguments of PEFT that are not passed on, and values of the wrong type."""
    if draft.model is None:
        return
    lora = draft.model.lora
    yield from LORA.faults((*_PLACE, "peft"), lora.peft)
    if "layers_pattern" in lora.peft and "layers_to_transform" not in lora.peft:
        what = "got layers_pattern without layers_to_transform, which it is for"
        yield Fault((*_PLACE, "peft", "layers_pattern"), what, "name the layers, or remove it")
    if "layers_to_transform" in lora.peft and isinstance(lora.targets, str):
        what = "got layers_to_transform with targets that are no list of modules"
        hint = "name modules in model.lora.targets, for instance [q_proj, v_proj]"
        yield Fault((*_PLACE, "peft", "layers_to_transform"), what, hint)


def _forms(draft: Draft) -> Iterator[Fault]:
    """Find DoRA and whole modules where an adapter has to be two factors for each layer."""
    if draft.model is None:
        return
    lora = draft.model.lora
    whole = ("whole modules", lora.modules_to_save)
    for key, (name, given) in {"dora": ("DoRA", lora.dora), "modules_to_save": whole}.items():
        for why, hint in _clashes(draft, key) if given else ():
            yield Fault((*_PLACE, key), f"got {name} with {why}", hint)


def _clashes(draft: Draft, key: str) -> Iterator[tuple[str, str]]:
    if draft.method is not None and draft.method.type in _OWN_LAYERS and key == "dora":
        tag = draft.method.type
        yield f"{tag}, which {_OWN_LAYERS[tag]}", "remove it, or choose another method"
    half = draft.model is not None and getattr(draft.model, "dtype", "") == "float16"
    if half and key == "modules_to_save":
        yield "model.dtype float16, in which no weight can be trained", "write `dtype: bfloat16`"
    if draft.engine is not None and draft.engine.resources.zero == 3:
        yield "ZeRO 3, under which it is untried", "write `engine.resources.zero: 2`"
    for place, proposer in nested(draft.proposer) if draft.proposer is not None else ():
        merges = BEYOND_WEIGHTED.get(proposer.type) == "merge" or getattr(proposer, "redraw", False)
        if merges:
            at = ".".join(map(str, place))
            yield f"{at}: {proposer.type}, whose merges add up factors", "remove it, or merge none"


RULES: tuple[Rule, ...] = (_peft, _forms)
