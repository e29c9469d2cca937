"""Rules for the base model."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.positions import Fault

_OWN_ARGUMENTS = (
    "conversation", "messages", "tools", "documents", "chat_template", "add_generation_prompt",
    "continue_final_message", "tokenize", "padding", "truncation", "max_length", "return_tensors",
    "return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs",
)  # fmt: skip
"""What transformers' `apply_chat_template` takes for itself."""


def _template_arguments(draft: Draft) -> Iterator[Fault]:
    """Find arguments of the chat template that are given by the sweep itself."""
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


RULES: tuple[Rule, ...] = (_template_arguments,)
