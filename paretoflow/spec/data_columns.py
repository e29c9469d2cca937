"""Sizes of the prompt sets and names of columns, for all sources of data."""

from __future__ import annotations

from pydantic import Field

from paretoflow.spec.base import Spec


class SizesSpec(Spec):
    """Sizes of the prompt sets, which never share a prompt."""

    train: int = Field(96, ge=2)
    """Prompts that runs learn from; the base's answers to them are sampled once."""
    eval: int = Field(48, ge=2)
    """Prompts that every checkpoint is scored on: the same for all, for paired comparison."""
    validation: int = Field(16, ge=2)
    """Prompts for the dual controller of constrained runs."""
    candidates: int = Field(4, ge=2)
    """Answers sampled from the base for each train prompt, once per sweep."""
    held_out: int = Field(4, ge=2)
    """Answers sampled from the base for each validation prompt, once per sweep; the ranking
    accuracy uses their pairs (six for four answers)."""


class ColumnsSpec(Spec):
    """Names of a source's columns. Give `prompt`, `messages` or `dialogue`."""

    prompt: str = "prompt"
    """Column with the plain prompt; used unless `template`, `messages` or `dialogue` is given."""
    messages: str | None = None
    """Column with chat turns ({role, content}, or ShareGPT's {from, value}); rendered by the
    model's chat template. Content may be a list of text parts."""
    tools: str | None = None
    """Column with the tools for the chat template, as OpenAI's list; with `messages` only."""
    dialogue: str | None = None
    """Column with a whole "\\n\\nHuman: … \\n\\nAssistant: …" dialogue; its last answer is dropped
    and the turns before it are treated as `messages`."""
    reference: str | None = None
    """Column with the reference answer."""
    passages: str | None = None
    """Column with the passages: a string, a list of strings, or a list of such lists."""
