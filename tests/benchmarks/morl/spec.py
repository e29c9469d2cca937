"""The spec of a job in `jobs`: a sweep over policies of one environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from paretoflow.core.values import Direction
from paretoflow.spec.base import Spec
from paretoflow.spec.methods.base import DualSpec, MethodBase
from paretoflow.spec.sweep import SweepSpec

JOBS = Path(__file__).parent / "jobs"


class ReturnSpec(Spec):
    """One objective: the mean discounted return of one of the rewards, in their order."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """Unique name."""
    range: tuple[float, float]
    """Lowest and highest return worth telling apart; it normalises weights and gaps."""
    ref: float
    """A point counts towards the hypervolume only beyond this."""
    unit: str = ""
    """Shown beside values."""
    direction: Literal[Direction.MAXIMIZE] = Direction.MAXIMIZE
    """Rewards are always maximised."""


class EnvironmentSpec(Spec):
    """The environment of the episodes."""

    id: str
    """MO-Gymnasium's id; `worlds.WORLDS` has those that there are."""
    gamma: float = Field(gt=0, lt=1)
    """Discount of the returns, in training and in evaluation."""
    evaluations: int = Field(1, ge=1)
    """Episodes of an evaluation, with the same seeds for every policy."""


class PpoSpec(MethodBase):
    """PPO with a value for each objective; `steps` are rollouts, each learnt from for `epochs`."""

    type: Literal["ppo"]
    episodes: int = Field(128, ge=1)
    """Episodes played at once."""
    rollout: int = Field(6, ge=1)
    """Steps of each of them between two updates."""
    horizon: int | None = Field(None, ge=1)
    """Steps after which training cuts an episode off; unset: the environment's."""
    steps: int = Field(40, ge=1)
    """Rollouts of a run."""
    learning_rate: float = Field(1e-3, gt=0)
    """Of Adam, at the start of a run, whether it has a parent or not."""
    decay: float = Field(1.0, ge=0, le=1)
    """Share of the learning rate that is gone at the end of a run."""
    max_grad_norm: float = Field(0.5, gt=0)
    """Gradients are clipped to this norm."""
    checkpoint_every: int | None = Field(4, ge=1)
    """Rollouts between evaluated policies, each a candidate for the front."""
    epochs: int = Field(4, ge=1)
    """Passes over a rollout."""
    minibatches: int = Field(4, ge=1)
    """Parts of a rollout, each an optimiser step."""
    clip: float = Field(0.2, gt=0)
    """Bound on how far a probability ratio counts."""
    entropy: float = Field(0.01, ge=0)
    """Weight of the policy's entropy; falls to 0 over a run."""
    trace: float = Field(0.95, ge=0, le=1)
    """Lambda of the advantages."""
    hidden: int = Field(64, ge=1)
    """Units of each hidden layer."""
    warmth: float = Field(0.3, gt=0, le=1)
    """Factor of a parent's logits when a launch starts from it, since a converged policy explores
    nothing. The likeliest actions stay the same."""
    augment: float = Field(0.02, ge=0)
    """Added to every weight, little by little over a run: of two policies as good for a corner,
    the one that wastes nothing. Not at once: what costs little is learnt before what is rare."""
    constraint: Literal["barrier", "dual"] = "barrier"
    """barrier: on each episode's returns. dual: multipliers on their mean, as the LM methods do."""
    sharpness: float = Field(20.0, gt=0)
    """Of the barrier: what the logarithm is divided by."""
    edge: float = Field(0.01, gt=0)
    """Slack, in normalised returns, below which the barrier continues as a straight line."""
    dual: DualSpec = DualSpec()
    """The dual controller; `every` counts rollouts."""


class MorlSpec(SweepSpec):
    """A sweep without a language model: `model` and `data` are left at their defaults, unread."""

    environment: EnvironmentSpec
    """The environment of the episodes."""
    objectives: tuple[ReturnSpec, ...] = Field(min_length=2)  # type: ignore[assignment]
    """One for each reward, in order."""
    method: PpoSpec  # type: ignore[assignment]
    """Options of the training."""


def load_job(job: str, **changes: Any) -> MorlSpec:
    """Read a job of `jobs` by name, with top-level keys replaced."""
    plain = yaml.safe_load((JOBS / f"{job}.yaml").read_text(encoding="utf-8"))
    return MorlSpec.model_validate({**plain, **changes})
