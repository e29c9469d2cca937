"""Where prompts come from, and what people said of answers to them.

Every source is brought into one prompt schema (`core.protocols.Prompt`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paretoflow.spec.data_columns import ColumnsSpec as ColumnsSpec
from paretoflow.spec.data_columns import SizesSpec
from paretoflow.spec.data_given import (
    GivenSpec,
    PairSourceSpec,
    PreferencesDataSpec,
    RatingsDataSpec,
    RatingSourceSpec,
)


class _RowsSpec(SizesSpec):
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


class PydocDataSpec(SizesSpec):
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
    PydocDataSpec
    | JsonlDataSpec
    | ParquetDataSpec
    | HubDataSpec
    | PreferencesDataSpec
    | RatingsDataSpec,
    Field(discriminator="type"),
]
RowsSpec = JsonlDataSpec | ParquetDataSpec | HubDataSpec | PairSourceSpec | RatingSourceSpec
"""Whatever rows are read from, with the columns of its prompts."""


def row_sources(spec: DataSpec) -> tuple[RowsSpec, ...]:
    """Return whatever rows are read from; nothing of the embedded task."""
    if isinstance(spec, PydocDataSpec):
        return ()
    return spec.sources if isinstance(spec, GivenSpec) else (spec,)


def asks_in_turns(spec: DataSpec) -> bool:
    """Return whether prompts are chat turns, which a model's chat template renders."""
    columns = [source.columns for source in row_sources(spec)]
    return any(c.messages is not None or c.dialogue is not None for c in columns)
