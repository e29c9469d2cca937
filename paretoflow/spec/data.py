"""Sources of prompts, and of human feedback on answers.

Every source is converted to one prompt schema (`core.protocols.Prompt`).
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
    """Fields of all sources of rows."""

    columns: ColumnsSpec = ColumnsSpec()
    """Names of the columns."""
    template: str | None = None
    """Prompt text with {column} places, for instance "Question: {question}\\nAnswer:"; {passages}
    stands for the joined passages.
    """
    max_passage_words: int | None = Field(None, ge=1)
    """Passages are cut to whole sentences of at most this many words in all. Unset: no cut."""
    max_prompt_tokens: int | None = Field(None, ge=1)
    """Maximum tokens of a prompt; a row with a longer one is a bad row. Unset: the model's window
    minus `model.generation.max_new_tokens`."""
    on_bad_row: Literal["error", "skip"] = "error"
    """Treatment of rows that cannot be used (no prompt, wrong columns, too long, no reference where
    an objective needs one). error: end the sweep and name the row; skip: leave it out and count it.
    More bad rows than good ones are always an error."""
    drawn_by: Literal["content", "row"] = "content"
    """Basis of a prompt's set. content: by the prompt's normal form, so that one prompt is in one
    set however it is spelt; row: by the row as a whole, as in sweeps of earlier versions."""


class PydocDataSpec(SizesSpec):
    """The embedded task: questions about Python's own documentation, drawn at run time."""

    type: Literal["pydoc"] = "pydoc"


class JsonlDataSpec(_RowsSpec):
    """A JSON-lines file, one object per line; `.gz` files are read directly."""

    type: Literal["jsonl"]
    path: str = Field(min_length=1)
    """File, relative to the current folder."""


class ParquetDataSpec(_RowsSpec):
    """A Parquet file."""

    type: Literal["parquet"]
    path: str = Field(min_length=1)
    """File, relative to the current folder."""


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
"""A source of rows, with the columns of its prompts."""


def row_sources(spec: DataSpec) -> tuple[RowsSpec, ...]:
    """Return the sources of rows; empty for the embedded task."""
    if isinstance(spec, PydocDataSpec):
        return ()
    return spec.sources if isinstance(spec, GivenSpec) else (spec,)


def asks_in_turns(spec: DataSpec) -> bool:
    """Return whether prompts are chat turns, which a model's chat template renders."""
    columns = [source.columns for source in row_sources(spec)]
    return any(c.messages is not None or c.dialogue is not None for c in columns)
