"""Specs of the objectives.

Every objective has a name, a direction, a unit, a range and a reference value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from paretoflow.core.values import Direction
from paretoflow.spec.base import Spec

Convention = Literal["paretoflow", "trl"]
Measure = Literal["latency", "tokens_per_s", "memory", "trainable_parameters"]
_UNITS: dict[Measure, str] = {
    "latency": "s",
    "tokens_per_s": "tokens/s",
    "memory": "MiB",
    "trainable_parameters": "parameters",
}


class _ObjectiveSpec(Spec):
    """Fields of all objectives."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """Unique name; used in tables, plots and `pick --prefer name=0.7`."""
    direction: Direction = Direction.MAXIMIZE
    """Direction of better scores."""
    unit: str = ""
    """Unit, shown beside values."""
    range: tuple[float, float] | None = None
    """Lowest and highest relevant score, in raw units; used for normalisation. Unset: taken once,
    at the start, from the scores of the base's answers, and stored with the sweep."""
    ref: float | None = None
    """Reference value: a point counts towards the hypervolume only beyond it. Unset: a tenth of the
    range beyond its worse end.
    """


class LengthObjectiveSpec(_ObjectiveSpec):
    """Length of the answer."""

    type: Literal["length"]
    direction: Direction = Direction.MINIMIZE
    """Direction of better scores; shorter by default."""
    count: Literal["words", "tokens"] = "words"
    """Unit of counting; in scripts without spaces, such as Chinese, every character is a word."""


class RougeObjectiveSpec(_ObjectiveSpec):
    """ROUGE of the answer against the reference (Lin 2004), by the rouge-score library."""

    type: Literal["rouge"]
    variant: Literal["rouge1", "rouge2", "rougeL"] = "rougeL"
    """Unigrams, bigrams or longest common subsequence."""
    measure: Literal["recall", "precision", "fmeasure"] = "recall"
    """Recall rewards completeness, precision penalises everything else."""


class GroundingObjectiveSpec(_ObjectiveSpec):
    """Share of the answer's n-grams that occur in the prompt's passages."""

    type: Literal["grounding"]
    n: int = Field(2, ge=1, le=8)
    """Words in an n-gram."""


class RegexObjectiveSpec(_ObjectiveSpec):
    """Matches of a regular expression, or of any of some keywords, in the answer."""

    type: Literal["regex"]
    pattern: str | None = None
    """Regular expression; give this or `keywords`."""
    keywords: tuple[str, ...] | None = None
    """Whole words, any of which counts; give this or `pattern`."""
    ignore_case: bool = True
    """Whether upper and lower case are the same."""
    count: Literal["any", "all"] = "any"
    """any: 1 if there is a match, else 0; all: number of matches."""


class RewardModelObjectiveSpec(_ObjectiveSpec):
    """An output of a Hugging Face sequence-classification model on prompt and answer."""

    type: Literal["reward_model"]
    path: str = Field(min_length=1)
    """Hub id or local folder."""
    output: int = Field(0, ge=0)
    """Index of the output; objectives with the same model share one forward pass."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""
    batch_size: int = Field(16, ge=1)
    """Answers per forward pass."""
    max_length: int = Field(1024, ge=8)
    """Maximum tokens of prompt and answer, or fewer if the model has fewer positions; the prompt's
    beginning is cut first."""
    trust_remote_code: bool = False
    """Whether code from the model's repository may run: a risk, off by default."""


class ImportObjectiveSpec(_ObjectiveSpec):
    """Your own function, or a reward function of TRL, by import path."""

    type: Literal["import"]
    path: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    """`package.module:function`; the current folder is on the import path."""
    kwargs: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of every call; with `convention: trl`, of the factory where the path names
    one, such as `trl.rewards:get_soft_overlong_punishment`."""
    convention: Convention | None = None
    """paretoflow: `f(prompts, completions, **kwargs)` by position, prompts as `Prompt` objects.
    trl: by keyword, with prompts and completions as strings or messages, and the data's columns.
    Unset: trl for functions of the package trl, for `async def`, and where the first parameter is
    `completions` or `completion_ids` or can be given by keyword only; otherwise paretoflow."""
    columns: dict[str, str] = Field(default_factory=dict)
    """With `convention: trl`: parameters of the function whose column of the data has another name,
    for instance `{solution: answer}`. `reference` and `passages` are those of `data.columns`."""
    on_none: Literal["error"] | float = "error"
    """Score where the function returns None, for "not applicable"; error: such an answer is one."""


class TokenPriceSpec(Spec):
    """Price of a judge's tokens, in the currency of `engine.price`."""

    input: float = Field(ge=0)
    """Price of a million input tokens."""
    output: float = Field(ge=0)
    """Price of a million output tokens."""


class JudgeObjectiveSpec(_ObjectiveSpec):
    """Score by a language model, which reads prompt and answer, through an OpenAI-compatible API.

    Replies are kept in the sweep's folder: no answer is judged twice. Requires the extra `judge`.
    """

    type: Literal["judge"]
    rubric: str = Field(min_length=1)
    """Instruction to the judge: the criterion, and the meaning of low and high scores."""
    model: str = Field(min_length=1)
    """Name of the model at the endpoint."""
    base_url: str = Field("https://api.openai.com/v1", pattern=r"^https?://[^\s?#@]+$")
    """Address of the endpoint, up to and including `/v1`."""
    api_key_env: str | None = Field(None, pattern=r"^[A-Za-z_]\w*$")
    """Environment variable with the key, on each machine with workers; unset: no key is needed."""
    scale: tuple[float, float] = (1.0, 10.0)
    """Lowest and highest score that the judge may give."""
    against: Literal["base", "reference"] | None = None
    """base: which is better, the answer or the base's answer to the same prompt? reference: the
    answer or the prompt's reference answer? The judge is asked in both orders; 1 is the answer both
    times, 0 the other one. `scale` is not used then."""
    on_nonsense: Literal["error"] | float = "error"
    """Score of an answer for which no reply of `asks` holds a score; error: such an answer is one.
    """
    asks: int = Field(3, ge=1, le=10)
    """Replies asked for until one holds a score."""
    settings: dict[str, Any] = Field(default_factory=lambda: {"temperature": 0.0})
    """Further arguments of each request, such as `temperature`, `max_tokens` or `extra_body`."""
    concurrency: int = Field(8, ge=1, le=256)
    """Requests at a time, for each worker group."""
    requests_per_minute: float | None = Field(None, gt=0)
    """Maximum rate of requests, for each worker group; unset: none."""
    retries: int = Field(6, ge=0, le=50)
    """Further tries of a request after a timeout, a broken connection or HTTP status 408, 409, 429
    or 5xx; the wait doubles each time, or is what the endpoint says in `Retry-After`."""
    timeout_s: float = Field(60.0, gt=0)
    """Seconds to wait for a reply."""
    price: TokenPriceSpec | None = None
    """Price of its tokens; counts towards `stop.cost`. Unset: judging costs nothing."""


class SystemObjectiveSpec(_ObjectiveSpec):
    """System cost of answering with a checkpoint, measured in its evaluation; requires `range`.

    It cannot be calibrated from the base's answers, and training does not change it: launches
    differ in it through `search`.
    """

    type: Literal["system"]
    direction: Direction = Direction.MINIMIZE
    """Direction of better values; by default more for tokens_per_s and less for all others."""
    unit: str = ""
    """Unit, shown beside values; by default s, tokens/s, MiB or parameters."""
    measure: Measure
    """latency: seconds per answer, as an equal share of its batch; tokens_per_s: tokens sampled per
    second; memory: peak MiB in use while answering, of the GPU or else of the process;
    trainable_parameters: parameters of the adapter, 0 for the base."""

    @model_validator(mode="after")
    def _by_measure(self) -> Self:
        """Fill in unset fields before the spec is frozen."""
        defaults: dict[str, Any] = {"unit": _UNITS[self.measure]}
        if self.measure == "tokens_per_s":
            defaults["direction"] = Direction.MAXIMIZE
        for name, value in defaults.items():
            if name not in self.model_fields_set:
                object.__setattr__(self, name, value)
        return self


ObjectiveSpec = Annotated[
    LengthObjectiveSpec
    | RougeObjectiveSpec
    | GroundingObjectiveSpec
    | RegexObjectiveSpec
    | RewardModelObjectiveSpec
    | ImportObjectiveSpec
    | JudgeObjectiveSpec
    | SystemObjectiveSpec,
    Field(discriminator="type"),
]


def unmoved(objectives: Sequence[ObjectiveSpec]) -> tuple[int, ...]:
    """Return the indices of the objectives that training cannot change: the system costs."""
    return tuple(i for i, o in enumerate(objectives) if isinstance(o, SystemObjectiveSpec))


def moved_names(objectives: Sequence[ObjectiveSpec]) -> tuple[str, ...]:
    """Return the names of all other objectives, which may have human feedback."""
    still = unmoved(objectives)
    return tuple(o.name for i, o in enumerate(objectives) if i not in still)


def has_judge(objectives: Sequence[ObjectiveSpec]) -> bool:
    """Return whether a language model judges answers."""
    return any(isinstance(o, JudgeObjectiveSpec) for o in objectives)


def reads_references(objective: ObjectiveSpec) -> bool:
    """Return whether an objective needs a reference answer for each prompt."""
    if isinstance(objective, JudgeObjectiveSpec):
        return objective.against == "reference"
    return isinstance(objective, RougeObjectiveSpec)
