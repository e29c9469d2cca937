"""The prompts of a sweep, for the loaded base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paretoflow.data import load_prompts
from paretoflow.data.needs import Needs
from paretoflow.data.prompts import PromptSets, RenderChat
from paretoflow.lm.base import LanguageModel, encode, render_chat
from paretoflow.spec.capabilities import references_for
from paretoflow.spec.objectives import moved_names
from paretoflow.spec.sweep import SweepSpec


def prompts_of(spec: SweepSpec, lm: LanguageModel) -> PromptSets:
    """Draw the prompts of a sweep; each fits the model's window with its answer.

    Raises:
        UserError: If the data cannot be read, or lack columns that the sweep needs.
    """
    return load_prompts(
        spec.data, seed=spec.seed, render_chat=renderer_of(spec, lm), needs=needs_of(spec, lm)
    )


def renderer_of(spec: SweepSpec, lm: LanguageModel) -> RenderChat | None:
    """Return the renderer of chat turns; None for a base without a chat template."""

    def rendered(turns: Sequence[Mapping[str, Any]], tools: Sequence[Any] = ()) -> str:
        return render_chat(lm, turns, tools, spec.model.chat_template_kwargs)

    return rendered if lm.tokenizer.chat_template else None


def needs_of(spec: SweepSpec, lm: LanguageModel) -> Needs:
    """Return the sweep's requirements of a prompt: references, and a length within the window."""
    own, window = getattr(spec.data, "max_prompt_tokens", None), lm.context_tokens
    new = spec.model.generation.max_new_tokens
    longest, limit = own, "data.max_prompt_tokens"
    if window is not None and (own is None or own > window - new):
        longest = window - new
        limit = f"the model's window of {window} less model.generation.max_new_tokens, {new}"
    return Needs(
        references=references_for(spec),
        tokens=lambda text: len(encode(lm, [text])[0]),
        longest=longest,
        limit=limit,
        window=window,
        objectives=moved_names(spec.objectives),
    )
