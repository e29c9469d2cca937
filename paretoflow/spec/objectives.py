"""What is scored.

Every objective has a name, a direction, a unit, a range and a reference value.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from paretoflow.core.values import Direction
from paretoflow.spec.base import Spec


class _ObjectiveSpec(Spec):
    """What all objectives share."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """Unique name; used in tables, plots and `pick --prefer name=0.7`."""
    direction: Direction = Direction.MAXIMIZE
    """Which way is better."""
    unit: str = ""
    """Shown beside values."""
    range: tuple[float, float] | None = None
    """Lowest and highest score worth telling apart, in raw units; normalises gaps. Unset: taken
    once, at the start, from the scores of the base's answers, and stored with the sweep."""
    ref: float | None = None
    """A point counts towards the hypervolume only beyond this value. Unset: a tenth of the range
    beyond its worse end.
    """


class LengthObjectiveSpec(_ObjectiveSpec):
    """Length of the answer."""

    type: Literal["length"]
    direction: Direction = Direction.MINIMIZE
    """Which way is better; shorter unless you say otherwise."""
    count: Literal["words", "tokens"] = "words"
    """What is counted."""


class RougeObjectiveSpec(_ObjectiveSpec):
    """ROUGE of the answer against the reference (Lin 2004), by the rouge-score library."""

    type: Literal["rouge"]
    variant: Literal["rouge1", "rouge2", "rougeL"] = "rougeL"
    """Unigrams, bigrams or longest common subsequence."""
    measure: Literal["recall", "precision", "fmeasure"] = "recall"
    """Recall rewards completeness, precision rewards saying nothing else."""


class GroundingObjectiveSpec(_ObjectiveSpec):
    """Share of the answer's n-grams that occur in the prompt's passages."""

    type: Literal["grounding"]
    n: int = Field(2, ge=1, le=8)
    """Words in an n-gram."""


class RegexObjectiveSpec(_ObjectiveSpec):
    """How often a regular expression, or any of some keywords, is found in the answer."""

    type: Literal["regex"]
    pattern: str | None = None
    """Regular expression; give this or `keywords`."""
    keywords: tuple[str, ...] | None = None
    """Whole words, any of which counts; give this or `pattern`."""
    ignore_case: bool = True
    """Whether upper and lower case are the same."""
    count: Literal["any", "all"] = "any"
    """any: 1 when found at least once, else 0; all: number of finds."""


class RewardModelObjectiveSpec(_ObjectiveSpec):
    """An output of a Hugging Face sequence-classification model on prompt and answer."""

    type: Literal["reward_model"]
    path: str = Field(min_length=1)
    """Hub id or local folder."""
    output: int = Field(0, ge=0)
    """Which output; objectives that name the same model share one forward pass."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""
    batch_size: int = Field(16, ge=1)
    """Answers scored at once."""
    max_length: int = Field(1024, ge=8)
    """Tokens of prompt and answer that the model sees; the prompt's beginning is cut first."""
    trust_remote_code: bool = False
    """Whether code from the model's repository may run: a risk, off unless you say so."""


class ImportObjectiveSpec(_ObjectiveSpec):
    """Your own function `f(prompts, completions, **kwargs) -> list of float`, by import path."""

    type: Literal["import"]
    path: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    """`package.module:function`; the folder that the command runs in is on the import path."""
    kwargs: dict[str, Any] = Field(default_factory=dict)
    """Passed to every call."""


ObjectiveSpec = Annotated[
    LengthObjectiveSpec
    | RougeObjectiveSpec
    | GroundingObjectiveSpec
    | RegexObjectiveSpec
    | RewardModelObjectiveSpec
    | ImportObjectiveSpec,
    Field(discriminator="type"),
]
