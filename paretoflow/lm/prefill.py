"""Run prompts through a model once, so that sampling and scoring can continue from its cache.

Prompts are padded on the left under an attention mask with positions counted from their first
token, so padding changes a logit only by rounding. Equal prompts are run once and their cache is
copied: candidates of one prompt share its cost.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel

from paretoflow.lm.base import LanguageModel


@dataclass
class Prefix:
    """A model's cache of b token sequences; `extend` and `select` change it in place.

    Args:
        cache: Keys and values of every position so far.
        mask: 1 at real tokens and 0 at padding, shape (b, t).
        position: Position of the next token of each row, shape (b, 1).
        logits: Next-token logits, float32, shape (b, vocabulary).
    """

    cache: DynamicCache
    mask: torch.Tensor
    position: torch.Tensor
    logits: torch.Tensor

    def select(self, rows: list[int]) -> None:
        """Keep only the given rows, in the given order; a row may occur more than once."""
        index = torch.tensor(rows, device=self.mask.device)
        self.cache.reorder_cache(index)
        self.mask, self.position = self.mask[index], self.position[index]
        self.logits = self.logits[index]


def prefill(
    model: PreTrainedModel, lm: LanguageModel, prompt_ids: Sequence[Sequence[int]]
) -> Prefix:
    """Run b prompts, none empty, through the model; equal ones once."""
    unique = {ids: row for row, ids in enumerate(dict.fromkeys(map(tuple, prompt_ids)))}
    width = max(map(len, unique))
    ids = torch.full((len(unique), width), int(lm.tokenizer.pad_token_id))
    mask = torch.zeros_like(ids)
    for prompt, row in unique.items():
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    ids, mask = ids.to(lm.device), mask.to(lm.device)
    position = (mask.cumsum(-1) - 1).clamp(min=0)
    cache = DynamicCache(config=lm.model.config)
    prefix = Prefix(cache, mask, position[:, -1:] + 1, torch.empty(0))
    prefix.logits = _forward(model, lm, prefix, ids, position, last_only=True)[:, -1].float()
    if len(unique) < len(prompt_ids):
        prefix.select([unique[tuple(p)] for p in prompt_ids])
    return prefix


def extend(
    model: PreTrainedModel,
    lm: LanguageModel,
    prefix: Prefix,
    ids: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    """Run s further tokens of each row; return next-token logits, shape (b, s, vocabulary).

    `ids` and `mask` have shape (b, s). Padding may only follow the tokens, and a row that was
    padded here cannot be extended again. The logits are in the model's precision;
    `prefix.logits` becomes their last column, in float32.
    """
    prefix.mask = torch.cat([prefix.mask, mask], dim=1)
    position = prefix.position + torch.arange(ids.shape[1], device=ids.device)
    logits = _forward(model, lm, prefix, ids, position, last_only=False)
    prefix.position = position[:, -1:] + 1
    prefix.logits = logits[:, -1].float()
    return logits


def _forward(
    model: PreTrainedModel,
    lm: LanguageModel,
    prefix: Prefix,
    ids: torch.Tensor,
    position: torch.Tensor,
    *,
    last_only: bool,
) -> torch.Tensor:
    kind: Any = type(lm.model)
    accepted = _parameters(kind)
    optional: dict[str, Any] = {"position_ids": position, "logits_to_keep": 1 if last_only else 0}
    output = model(
        input_ids=ids,
        attention_mask=prefix.mask,
        past_key_values=prefix.cache,
        use_cache=True,
        **{name: value for name, value in optional.items() if name in accepted},
    )
    logits: torch.Tensor = output.logits
    return logits


@lru_cache(maxsize=16)
def _parameters(kind: type[PreTrainedModel]) -> frozenset[str]:
    return frozenset(inspect.signature(kind.forward).parameters)
