"""What all sources of data say: how many prompts each use gets, and which columns hold what."""

from __future__ import annotations

from pydantic import Field

from paretoflow.spec.base import Spec


class SizesSpec(Spec):
    """How many prompts each use gets; the three uses never share a prompt."""

    train: int = Field(96, ge=2)
    """Prompts that answers are sampled for and runs learn from."""
    eval: int = Field(48, ge=2)
    """Prompts every checkpoint is scored on: the same for all, so that they compare pairwise."""
    validation: int = Field(16, ge=2)
    """Prompts that the dual controller of a constrained run looks at."""
    candidates: int = Field(4, ge=2)
    """Answers sampled from the base for each train prompt, once per sweep."""
    held_out: int = Field(4, ge=2)
    """Answers sampled from the base for each validation prompt, once per sweep; their pairs, six of
    a prompt's four, are those of the ranking accuracy."""


class ColumnsSpec(Spec):
    """Which columns of a source hold what. Give `prompt`, `messages` or `dialogue`."""

    prompt: str = "prompt"
    """Column with the plain prompt; used unless `template`, `messages` or `dialogue` is given."""
    messages: str | None = None
    """Column with chat turns ({role, content}, or ShareGPT's {from, value}); rendered by the
    model's chat template. Content may be a list of text parts."""
    tools: str | None = None
    """Column with the tools that the chat template is told of, a list as OpenAI's; with `messages`
    only."""
    dialogue: str | None = None
    """Column with a whole "\\n\\nHuman: … \\n\\nAssistant: …" dialogue; its last answer is dropped
    and the turns before it are treated as `messages`."""
    reference: str | None = None
    """Column with the reference answer."""
    passages: str | None = None
    """Column with the texts to draw on: a string, a list of strings or of such lists."""
