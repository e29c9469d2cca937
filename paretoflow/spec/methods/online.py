"""Methods that sample from the policy in training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.methods.aggregators import (
    Aggregation,
    HvDynamicSpec,
    LinearSpec,
    NormalizeThenSumSpec,
)
from paretoflow.spec.methods.base import MethodBase, WeighsWithinPrompts
from paretoflow.spec.methods.offline import IPO_BETA


class OnlineMethodBase(MethodBase, WeighsWithinPrompts):
    """Fields of the methods that sample groups of answers in training."""

    generations: int = Field(4, ge=2)
    """Answers sampled for each prompt, which form one group; must divide `batch_size`."""

    @property
    def looks(self) -> int:
        """Return the number of looks at the validation prompts, beside the dual controller's."""
        return 0


class AggregatedMethodBase(OnlineMethodBase):
    """Fields of the online methods that combine one reward for each objective."""

    aggregation: Aggregation = LinearSpec()
    """Aggregation of the objectives' rewards to one advantage: a name, or a mapping with `type`."""

    @property
    def looks(self) -> int:
        """Return the number of looks at the validation prompts, beside the dual controller's."""
        aggregation = self.aggregation
        every = aggregation.every if isinstance(aggregation, HvDynamicSpec) else self.steps
        return (self.steps - 1) // every


class GraoMethodSpec(OnlineMethodBase):
    """Group-relative alignment: learn from samples and a reference answer together.

    Wang et al. 2025, arXiv 2508.07750. The paper has 8 generations, temperature 0.7 and batches of
    64.
    """

    type: Literal["grao"]
    imitation: float = Field(0.5, ge=0)
    """Weight of the reference answer's term, which its advantage scales; beta in the paper."""
    alignment: float = Field(0.6, ge=0)
    """Weight of moving from the reference to samples better than the group; lambda in the paper."""


class GrpoMethodSpec(AggregatedMethodBase):
    """Group-relative policy optimisation on new samples, with rewards combined by weight.

    Shao et al. 2024, arXiv 2402.03300.
    """

    type: Literal["grpo"]
    beta: float = Field(0.02, ge=0)
    """Weight of the KL penalty to the base; 0 saves the reference pass."""
    aggregation: Aggregation = NormalizeThenSumSpec()
    """Aggregation of the objectives' rewards to one advantage: a name, or a mapping with `type`."""


class IpoMdMethodSpec(OnlineMethodBase):
    """Identity preference optimisation on new pairs from a mixture of policy and base.

    Calandriello et al. 2024, arXiv 2403.08635.
    """

    type: Literal["ipo_md"]
    generations: int = Field(2, ge=2, le=2)
    """Answers sampled for each prompt: a pair."""
    beta: float = Field(IPO_BETA, gt=0)
    """Margins, in nats per token, are pulled to 1 / (2 beta), half a nat by default; tau in the
    paper. Assumed, as in `ipo`."""
    mixture: float = Field(0.125, ge=0, le=1)
    """Share of the base's logits in the sampling logits. Assumed."""


class RlooMethodSpec(AggregatedMethodBase):
    """REINFORCE with the mean of the group's other answers as baseline, KL in the reward.

    Ahmadian et al. 2024, arXiv 2402.14740.
    """

    type: Literal["rloo"]
    beta: float = Field(0.05, ge=0)
    """Weight of the KL penalty to the base, part of the reward; 0 saves the reference pass."""
