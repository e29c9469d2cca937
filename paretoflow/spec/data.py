"""Where prompts come from.

Every source is brought into one prompt schema (`core.protocols.Prompt`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paretoflow.spec.base import Spec


class _SizesSpec(Spec):
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


class _RowsSpec(_SizesSpec):
    """What all sources of rows share."""

    columns: ColumnsSpec = ColumnsSpec()
    """Which columns hold what."""
    template: str | None = None
    """Prompt text with {column} places, for instance "Question: {question}\\nAnswer:"; {passages}
    is the joined texts.
    """
    max_passage_words: int | None = Field(None, ge=1)
    """Passages are cut to whole sentences of at most this many words in all; unset: left whole."""
    max_prompt_tokens: int | None = Field(None, ge=1)
    """A row whose prompt has more tokens is a bad row; unset: what the model's window leaves beside
    `model.generation.max_new_tokens`."""
    on_bad_row: Literal["error", "skip"] = "error"
    """What a row does that cannot be used (no prompt, not what the columns say, too long, no
    reference where an objective needs one): error ends the sweep and names the row; skip leaves it
    out and counts it. More bad rows than good ones are an error all the same."""
    drawn_by: Literal["content", "row"] = "content"
    """What decides which set a prompt is in. content: what is asked, so that one prompt is in one
    set however it is spelt; row: the row as a whole, as sweeps that were begun by earlier versions
    go on."""


class PydocDataSpec(_SizesSpec):
    """The embedded task: questions about Python's own documentation, drawn at run time."""

    type: Literal["pydoc"] = "pydoc"


class JsonlDataSpec(_RowsSpec):
    """A JSON-lines file, one object a line; `.gz` is read as it is."""

    type: Literal["jsonl"]
    path: str = Field(min_length=1)
    """File, relative to the folder that the command runs in."""


class ParquetDataSpec(_RowsSpec):
    """A Parquet file."""

    type: Literal["parquet"]
    path: str = Field(min_length=1)
    """File, relative to the folder that the command runs in."""


class HubDataSpec(_RowsSpec):
    """A Hugging Face data set: a hub id, or a folder written by `save_to_disk`."""

    type: Literal["hub"]
    path: str = Field(min_length=1)
    """Hub id or folder."""
    config: str | None = None
    """Name of the data set's configuration."""
    split: str = "train"
    """Split to read."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""


DataSpec = Annotated[
    PydocDataSpec | JsonlDataSpec | ParquetDataSpec | HubDataSpec, Field(discriminator="type")
]


def asks_in_turns(spec: DataSpec) -> bool:
    """Return whether prompts are chat turns, which a model's chat template renders."""
    if isinstance(spec, PydocDataSpec):
        return False
    return spec.columns.messages is not None or spec.columns.dialogue is not None
