"""Human feedback that runs learn from: preference pairs and ratings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.base import Spec
from paretoflow.spec.data_columns import ColumnsSpec, SizesSpec

Kind = Literal["jsonl", "parquet", "hub"]


def kind_of(path: str) -> Kind:
    """Return the kind of a source, by its name; `hub` includes saved folders."""
    name = path.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        return "parquet"
    return "jsonl" if name.endswith((".jsonl", ".json")) else "hub"


class PairColumnsSpec(ColumnsSpec):
    """Names of the columns of a source of pairs.

    `messages: chosen` or `dialogue: chosen` takes the prompt from the chosen answer's own column.
    """

    chosen: str = "chosen"
    """The better answer: text, or chat turns with one answer of the assistant."""
    rejected: str = "rejected"
    """The worse answer."""
    answers: tuple[str, str] | None = None
    """Two columns with answers, in place of `chosen` and `rejected`; `better` names the better
    one."""
    objective: str = "objective"
    """Column with the objective's name, in a source that has neither `objective` nor `better`."""


class RatingColumnsSpec(ColumnsSpec):
    """Names of the columns of a source of ratings. Give `completion` or `completions`."""

    completion: str | None = None
    """Column with one answer per row; rows with the same prompt belong together."""
    completions: str | None = None
    """Column with all answers to the prompt: a list of texts, or of mappings with the text."""
    text: str = "response"
    """Key of the text if `completions` holds mappings; may be dotted."""


class _SourceSpec(Spec):
    """A file or data set."""

    path: str = Field(min_length=1)
    """JSON lines (.jsonl, .json, each also .gz) or Parquet (.parquet), relative to the current
    folder; else a folder written by `save_to_disk`, or a hub id."""
    split: str = "train"
    """Split to read, for a folder or hub id."""
    config: str | None = None
    """Configuration, for a hub id."""
    data_dir: str | None = None
    """Folder of a hub data set to read, if it has several, for instance helpful-base."""
    revision: str | None = None
    """Branch, tag or commit, for a hub id."""
    template: str | None = None
    """Prompt text with {column} places, for instance "Question: {question}\\nAnswer:"."""
    max_passage_words: int | None = Field(None, ge=1)
    """Passages are cut to whole sentences of at most this many words in all. Unset: no cut."""


class PairSourceSpec(_SourceSpec):
    """A source of preference pairs."""

    columns: PairColumnsSpec = PairColumnsSpec()
    """Names of the columns."""
    objective: str | None = None
    """Objective of all its pairs. Unset: given by the column `columns.objective`."""
    better: dict[str, str] = Field(default_factory=dict)
    """For each objective the column that names the better of `columns.answers`: 0 or 1, or the name
    of its column. An empty cell is no label for that objective."""
    whole: bool = False
    """Whether chosen and rejected begin with the prompt. Implied if `messages` or `dialogue` is the
    chosen column."""


class RatingSourceSpec(_SourceSpec):
    """A source of rated answers."""

    columns: RatingColumnsSpec = RatingColumnsSpec()
    """Names of the columns."""
    ratings: dict[str, str] = Field(min_length=1)
    """For each objective the column of its ratings, or the key in each of `completions`; may be
    dotted. Ratings are numbers in the objective's own direction, on any scale."""


GivenSource = PairSourceSpec | RatingSourceSpec


class GivenSpec(SizesSpec):
    """Fields of pairs and ratings."""

    on_bad_row: Literal["error", "skip"] = "error"
    """Treatment of rows that cannot be used. error: end the sweep and name the row; skip: leave it
    out and count it. More bad rows than good ones are always an error."""
    max_prompt_tokens: int | None = Field(None, ge=1)
    """Maximum tokens of a prompt; a row with a longer one is a bad row. Unset: the model's window
    minus `model.generation.max_new_tokens`."""
    max_answer_tokens: int | None = Field(None, ge=1)
    """Maximum tokens of an answer; a prompt with a longer one is left out like a bad row. Unset:
    the model's window minus the prompt."""
    sampled: float = Field(0.0, ge=0, lt=1)
    """Share of a run's draws that are the base's own answers: `candidates` for each train prompt,
    scored by the objectives. 0 samples none."""


class PreferencesDataSpec(GivenSpec):
    """Human preference pairs, each for one objective or several. Training needs no scores.

    Every objective that training can change needs pairs. Objectives still score the evaluations.
    """

    type: Literal["preferences"]
    sources: tuple[PairSourceSpec, ...] = Field(min_length=1)
    """The files: one for each objective, or files that name the objectives themselves."""


class RatingsDataSpec(GivenSpec):
    """Answers with human ratings on every objective, which runs learn from.

    The ratings replace scores in training; objectives still score the evaluations.
    """

    type: Literal["ratings"]
    sources: tuple[RatingSourceSpec, ...] = Field(min_length=1)
    """The files; each rates every objective that training can change."""
