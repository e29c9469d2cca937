"""Rules for the base model and its adapter."""

from __future__ import annotations

import re
from collections.abc import Iterator

from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.methods.command import CommandMethodSpec
from paretoflow.spec.models import ALL_LINEAR, PretrainedModelSpec
from paretoflow.spec.positions import Fault
from paretoflow.spec.shape import KeyPath

MORE_TARGETS = ("mah_dpo", "meet")
"""Methods whose adapter has one more module than `targets` names."""
_OWN_ARGUMENTS = (
    "conversation", "messages", "tools", "documents", "chat_template", "add_generation_prompt",
    "continue_final_message", "tokenize", "padding", "truncation", "max_length", "return_tensors",
    "return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs",
)  # fmt: skip
"""Arguments that transformers' `apply_chat_template` reserves."""


def _template_arguments(draft: Draft) -> Iterator[Fault]:
    """Find arguments of the chat template that the sweep itself sets."""
    for name in draft.model.chat_template_kwargs if draft.model is not None else ():
        if name in _OWN_ARGUMENTS or not name.isidentifier():
            what = f"got {name!r}; allowed: arguments of the template's own"
            hint = "remove it: turns, tools and the place of the answer come from the sweep"
            yield Fault(
                ("model", "chat_template_kwargs", name),
                what,
                hint,
                at_key=True,
                code="spec-not-allowed",
            )


def _targets(draft: Draft) -> Iterator[Fault]:
    """Yield the fault of targets that are no modules of any model."""
    targets = draft.model.lora.targets if draft.model is not None else ALL_LINEAR
    path: KeyPath = ("model", "lora", "targets")
    if not all(targets) if targets else True:
        what = "got an empty list or name; allowed: names of modules, or all-linear"
        hint = "name modules as the model has them, for instance [q_proj, v_proj]"
        yield Fault(path, what, hint, code="spec-not-allowed")
    elif isinstance(targets, str):
        try:
            re.compile(targets)
        except (re.error, OverflowError, RecursionError) as error:
            what = f"the regular expression {targets!r} does not compile: {error}"
            hint = "write all-linear, or a list of modules"
            yield Fault(path, what, hint, code="spec-not-allowed")


def _ranks(draft: Draft) -> Iterator[Fault]:
    """Yield faults of ranks for modules without an adapter."""
    if draft.model is None or draft.method is None or draft.method.type in MORE_TARGETS:
        return
    lora = draft.model.lora
    named = [] if isinstance(lora.targets, str) else [t.rpartition(".")[2] for t in lora.targets]
    for name in lora.ranks if named else ():
        if name.rpartition(".")[2] not in named:
            able = ", ".join(dict.fromkeys(named))
            what = f"got a rank for `{name}`; allowed: for {able}, which bear the adapter"
            hint = "add it to model.lora.targets, or remove this"
            yield Fault(("model", "lora", "ranks", name), what, hint, at_key=True)


def _start(draft: Draft) -> Iterator[Fault]:
    """Yield the fault of an adapter to start from that would not be in the base."""
    start = draft.model.adapter if isinstance(draft.model, PretrainedModelSpec) else None
    why = ""
    if isinstance(draft.method, CommandMethodSpec):
        why = "a program would load the base without it"
    elif draft.engine is not None and draft.engine.resources.zero == 3:
        why = "at ZeRO 3 no worker holds the base whole, to merge it into"
    if start is not None and why:
        what = f"got an adapter; allowed: none, since {why}"
        hint = "merge it into the base, and name the merged folder as model.path"
        yield Fault(("model", "adapter"), what, hint, code="spec-contradiction")


RULES: tuple[Rule, ...] = (_template_arguments, _targets, _ranks, _start)
