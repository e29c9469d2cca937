"""What people said of answers: preference pairs and ratings, as data that runs learn from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.base import Spec
from paretoflow.spec.data_columns import ColumnsSpec, SizesSpec

Kind = Literal["jsonl", "parquet", "hub"]


def kind_of(path: str) -> Kind:
    """Return how a source is read, by its name: `hub` is a saved folder too."""
    name = path.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        return "parquet"
    return "jsonl" if name.endswith((".jsonl", ".json")) else "hub"


class PairColumnsSpec(ColumnsSpec):
    """Which columns of a source of pairs hold what.

    `messages: chosen` or `dialogue: chosen` takes the prompt from the chosen answer's own column.
    """

    chosen: str = "chosen"
    """The better answer: text, or chat turns with one answer of the assistant."""
    rejected: str = "rejected"
    """The worse answer."""
    answers: tuple[str, str] | None = None
    """In their place, two columns with answers; `better` says which of them is the better."""
    objective: str = "objective"
    """Column with the objective's name, in a source that has neither `objective` nor `better`."""


class RatingColumnsSpec(ColumnsSpec):
    """Which columns of a source of ratings hold what: `completion` or `completions`."""

    completion: str | None = None
    """An answer: each row holds one, and rows that ask the same belong together."""
    completions: str | None = None
    """All answers to the prompt: a list of texts, or of mappings that hold the text."""
    text: str = "response"
    """Key of the text, where `completions` holds mappings; may be dotted."""


class _SourceSpec(Spec):
    """A file or data set."""

    path: str = Field(min_length=1)
    """JSON lines (.jsonl, .json, each also .gz) or Parquet (.parquet), relative to the folder that
    the command runs in; else a folder written by `save_to_disk`, or a hub id."""
    split: str = "train"
    """Split to read, of a folder or hub id."""
    config: str | None = None
    """Configuration, of a hub id."""
    data_dir: str | None = None
    """Folder of the data set that is read, of a hub id with several, for instance helpful-base."""
    revision: str | None = None
    """Branch, tag or commit, of a hub id."""
    template: str | None = None
    """Prompt text with {column} places, for instance "Question: {question}\\nAnswer:"."""
    max_passage_words: int | None = Field(None, ge=1)
    """Passages are cut to whole sentences of at most this many words in all; unset: left whole."""


class PairSourceSpec(_SourceSpec):
    """A source of preference pairs."""

    columns: PairColumnsSpec = PairColumnsSpec()
    """Which columns hold what."""
    objective: str | None = None
    """Objective that all of its pairs speak for; unset: the column `columns.objective` says."""
    better: dict[str, str] = Field(default_factory=dict)
    """For each objective a column that says which of `columns.answers` is the better: 0 or 1, or
    the name of its column. An empty cell says nothing for that objective."""
    whole: bool = False
    """Whether chosen and rejected hold the prompt too, and begin with it. Said by itself where
    `messages` or `dialogue` is the chosen column."""


class RatingSourceSpec(_SourceSpec):
    """A source of rated answers."""

    columns: RatingColumnsSpec = RatingColumnsSpec()
    """Which columns hold what."""
    ratings: dict[str, str] = Field(min_length=1)
    """For each objective the column of its ratings, or the key in each of `completions`; may be
    dotted. Numbers, in the objective's own direction; on any scale."""


GivenSource = PairSourceSpec | RatingSourceSpec


class GivenSpec(SizesSpec):
    """What pairs and ratings share."""

    on_bad_row: Literal["error", "skip"] = "error"
    """What a row does that cannot be used: error ends the sweep and names the row; skip leaves it
    out and counts it. More bad rows than good ones are an error all the same."""
    max_prompt_tokens: int | None = Field(None, ge=1)
    """A row whose prompt has more tokens is a bad row; unset: what the model's window leaves beside
    `model.generation.max_new_tokens`."""
    max_answer_tokens: int | None = Field(None, ge=1)
    """A prompt with a longer answer is left out like a bad row; unset: what the model's window
    leaves beside the prompt."""
    sampled: float = Field(0.0, ge=0, lt=1)
    """Share of what a run draws that is the base's own answers: `candidates` to each train prompt,
    scored by the objectives. 0 samples none."""


class PreferencesDataSpec(GivenSpec):
    """Preference pairs of people, each for one objective or several. No score is needed to train.

    Every objective that training moves needs pairs. Objectives still score the evaluations.
    """

    type: Literal["preferences"]
    sources: tuple[PairSourceSpec, ...] = Field(min_length=1)
    """The files: one for each objective, or any that name objectives themselves."""


class RatingsDataSpec(GivenSpec):
    """Answers that were rated on every objective: scores that runs learn from.

    The ratings take the place of scores; objectives still score the evaluations.
    """

    type: Literal["ratings"]
    sources: tuple[RatingSourceSpec, ...] = Field(min_length=1)
    """The files; each rates every objective that training moves."""
