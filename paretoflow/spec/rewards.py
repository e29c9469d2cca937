"""How reward models are trained from preference pairs: the YAML of `paretoflow train-reward`."""

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
    """Objective that all of its pairs speak for; unset: the column `columns.objective` says."""


class RewardColumnsSpec(Spec):
    """Which columns of the files hold what."""

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
    """The model that a reward head is put on."""

    path: str | None = None
    """Hub id or local folder; unset: the tiny base that ships inside the package."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision that it is trained and saved in."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; auto takes a GPU where there is one."""
    trust_remote_code: bool = False
    """Whether code from the model's repository may run: a risk, off unless you say so."""
    lora: LoraSpec | None = LoraSpec()
    """Adapter that is trained and merged at the end; null trains every weight."""


class GroupsSpec(Spec):
    """Groups of annotators, found from their choices: one reward for each (MaxMin-RLHF).

    Chakraborty et al. 2024, arXiv 2402.08925.
    """

    count: int = Field(2, ge=2)
    """Groups, each an objective `group_0`, `group_1`, …, the largest first."""
    annotator: str = "annotator"
    """Column that says who chose."""
    restarts: int = Field(8, ge=1)
    """Starts of the search; the likeliest result is kept."""
    iterations: int = Field(50, ge=1)
    """Most rounds of a start."""
    components: int = Field(64, ge=1)
    """Principal components of the frozen embeddings that the search looks at."""
    ridge: float = Field(1.0, gt=0)
    """Pull of each group's weights to zero; more for fewer pairs."""


class RewardSpec(Spec):
    """Reward models from preference pairs."""

    pairs: tuple[PairsSpec, ...] = Field(min_length=1)
    """The files."""
    output: str = Field("rewards", min_length=1)
    """New folder for models and metrics; `-o` overrides it."""
    columns: RewardColumnsSpec = RewardColumnsSpec()
    """Which columns hold what."""
    model: RewardBaseSpec = RewardBaseSpec()
    """The model that reward heads are put on."""
    outputs: Literal["separate", "heads", "one"] = "heads"
    """separate: a model for each objective; heads: one model with an output for each; one: one
    model with a single output that all objectives share."""
    weighting: Literal["sum", "more"] = "sum"
    """sum: all objectives' losses count alike; more: by the min-norm rule (MORE), not with
    `outputs: separate`. Zeng et al. 2023, arXiv 2312.07401."""
    more_alpha: float = Field(0.99, gt=0, le=1)
    """How much of MORE's running gradient is the newest one."""
    more_normalise: bool = True
    """Scale MORE's gradients to length one, as the paper does; two objectives always weigh alike
    then."""
    groups: GroupsSpec | None = None
    """Find groups of annotators, and let these be the objectives; unset: objectives as given."""
    held_out: float = Field(0.1, gt=0, lt=1)
    """Share of each objective's prompts that metrics are measured on, and nothing learns from."""
    steps: int = Field(200, ge=1)
    """Optimiser steps."""
    batch_size: int = Field(8, ge=1)
    """Pairs of each objective in a step."""
    gradient_accumulation: int = Field(1, ge=1)
    """Forward passes that a step is divided over, to save memory; must divide `batch_size`."""
    learning_rate: float = Field(1e-4, gt=0)
    """Peak step size of AdamW: linear warm-up over a tenth of the steps, then linear decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    max_length: int = Field(1024, ge=8)
    """Tokens of prompt and answer that the model sees; the prompt's beginning is cut first."""
    seed: int = Field(0, ge=0)
    """Everything random follows from it."""
