"""Log-probabilities of given answers under a model."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedModel

from paretoflow.core.values import FloatArray
from paretoflow.lm.base import LanguageModel


def sequence_logprobs(
    model: PreTrainedModel,
    lm: LanguageModel,
    prompt_ids: Sequence[Sequence[int]],
    completion_ids: Sequence[Sequence[int]],
    batch_size: int,
) -> FloatArray:
    """Return log p(completion | prompt), summed over the completion's tokens, shape (n,), in nats."""
    ...
