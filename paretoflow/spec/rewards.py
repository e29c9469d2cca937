"""Training of reward models from preference pairs: the YAML of `paretoflow train-reward`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.base import Spec
from paretoflow.spec.models import LoraSpec


class PairsSpec(Spec):
    """A file of preference pairs."""

    path: str = Field(min_length=1)
    """JSON lines (.jsonl, .jsonl.gz) or Parquet (.parquet); relative to the command's folder."""
    objective: str | None = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """Objective of all its pairs. Unset: given by the column `columns.objective`."""


class RewardColumnsSpec(Spec):
    """Names of the columns of the files."""

    prompt: str | None = "prompt"
    """Text, or a list of chat turns ({role, content}); null: chosen and rejected are whole
    "\\n\\nHuman: … \\n\\nAssistant: …" dialogues that differ in their last answer."""
    chosen: str = "chosen"
    """The better answer."""
    rejected: str = "rejected"
    """The worse answer."""
    objective: str = "objective"
    """Name of the objective, in files that name none."""


class RewardBaseSpec(Spec):
    """The model that gets a reward head."""

    path: str | None = None
    """Hub id or local folder; unset: the tiny base that ships inside the package."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of training and of the saved model."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device; auto takes a GPU if there is one."""
    trust_remote_code: bool = False
    """Whether code from the model's repository may run: a risk, off by default."""
    lora: LoraSpec | None = LoraSpec()
    """Adapter to train, which is merged at the end; null trains every weight."""


class GroupsSpec(Spec):
    """Groups of annotators, found from their choices: one reward for each (MaxMin-RLHF).

    Chakraborty et al. 2024, arXiv 2402.08925.
    """

    count: int = Field(2, ge=2)
    """Number of groups, each an objective `group_0`, `group_1`, …, the largest first."""
    annotator: str = "annotator"
    """Column with the annotator."""
    restarts: int = Field(8, ge=1)
    """Number of starts of the search; the likeliest result is kept."""
    iterations: int = Field(50, ge=1)
    """Maximum rounds per start."""
    components: int = Field(64, ge=1)
    """Principal components of the frozen embeddings that the search uses."""
    ridge: float = Field(1.0, gt=0)
    """Regularisation of each group's weights to zero; use more for fewer pairs."""


class RewardSpec(Spec):
    """Reward models from preference pairs."""

    pairs: tuple[PairsSpec, ...] = Field(min_length=1)
    """The files."""
    output: str = Field("rewards", min_length=1)
    """New folder for models and metrics; `-o` overrides it."""
    columns: RewardColumnsSpec = RewardColumnsSpec()
    """Names of the columns."""
    model: RewardBaseSpec = RewardBaseSpec()
    """The model that gets the reward heads."""
    outputs: Literal["separate", "heads", "one"] = "heads"
    """separate: a model for each objective; heads: one model with an output for each; one: one
    model with a single output that all objectives share."""
    weighting: Literal["sum", "more"] = "sum"
    """sum: equal weights of all objectives' losses; more: weights by the min-norm rule (MORE), not
    with `outputs: separate`. Zeng et al. 2023, arXiv 2312.07401."""
    more_alpha: float = Field(0.99, gt=0, le=1)
    """Share of the newest gradient in MORE's running gradient."""
    more_normalise: bool = True
    """Scale MORE's gradients to length one, as in the paper; two objectives then always have equal
    weights."""
    groups: GroupsSpec | None = None
    """Find groups of annotators and use them as the objectives. Unset: objectives as given."""
    held_out: float = Field(0.1, gt=0, lt=1)
    """Share of each objective's prompts that is held out from training, for the metrics."""
    steps: int = Field(200, ge=1)
    """Optimiser steps."""
    batch_size: int = Field(8, ge=1)
    """Pairs of each objective in a step."""
    gradient_accumulation: int = Field(1, ge=1)
    """Number of forward passes for one step, to save memory; must divide `batch_size`."""
    learning_rate: float = Field(1e-4, gt=0)
    """Peak step size of AdamW: linear warm-up over a tenth of the steps, then linear decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    max_length: int = Field(1024, ge=8)
    """Maximum tokens of prompt and answer; the prompt's beginning is cut first."""
    seed: int = Field(0, ge=0)
    """Seed of all random numbers."""
