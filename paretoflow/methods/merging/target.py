"""Weighted DPO loss on a few of the base's own pairs, with gradients, without a trainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paretoflow.core.errors import MethodError, NonFiniteLossError
from paretoflow.core.values import FloatArray
from paretoflow.lm.base import LanguageModel
from paretoflow.methods.preferences.pairs import PairTable
from paretoflow.methods.training.context import MethodContext

BATCH = 8
"""Pairs in a forward pass."""


@dataclass(frozen=True)
class WeightedPair:
    """A better and a worse answer, as token ids.

    Args:
        weight: Share of the loss.
        reference: The base's log-ratio of the better to the worse.
    """

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]
    reference: float
    weight: float


def proxy_pairs(context: MethodContext, weights: FloatArray, each: int) -> list[WeightedPair]:
    """Return up to `each` pairs for every objective that has weight, the same for every launch.

    Args:
        context: Holds the candidates.
        weights: The launch's weights, shape (m,).
        each: Number of pairs for each objective, from those with the widest margin of their prompt.

    Raises:
        MethodError: If the candidates make no pair.
    """
    table, found = PairTable(context.candidates, 1), []
    for objective in np.flatnonzero(weights).tolist():
        alone = np.eye(len(weights))[objective]
        rows = np.array([row for stratum in table.strata(alone) for row in stratum.items])
        kept = np.random.default_rng(objective).permutation(len(rows))[:each]
        for row in rows[kept]:
            one = table.example(table.pair(row, alone))
            reference = one["ref_chosen_logps"] - one["ref_rejected_logps"]
            texts = one["prompt_ids"], one["chosen_ids"], one["rejected_ids"]
            found.append(WeightedPair(*texts, reference, weights[objective] / len(kept)))
    if not found:
        raise MethodError(
            "no two answers to a prompt differ in any objective that has weight",
            hint="sample more candidates per prompt, or at a higher temperature",
            code="training-nothing-to-learn",
        )
    return found


def target_loss(
    model: Any, lm: LanguageModel, pairs: Sequence[WeightedPair], beta: float, *, backward: bool
) -> float:
    """Return sum_k w_k L_k with L_k = mean -log s(beta (log-ratio - base's log-ratio)).

    By hand: one pair of weight 1 whose log-ratio is 5 above the base's at beta 0.1 gives 0.4741.

    Args:
        model: The base with an adapter.
        lm: The base with its tokenizer.
        pairs: Pairs from `proxy_pairs`.
        beta: As in DPO.
        backward: Whether to add the gradient to the trainable parameters'.

    Raises:
        NonFiniteLossError: If the loss is not finite.
    """
    total = 0.0
    for start in range(0, len(pairs), BATCH):
        batch = pairs[start : start + BATCH]
        with torch.set_grad_enabled(backward):
            better = logprobs(model, lm, [(p.prompt, p.chosen) for p in batch])
            worse = logprobs(model, lm, [(p.prompt, p.rejected) for p in batch])
            reference = torch.tensor([p.reference for p in batch], device=better.device)
            weight = torch.tensor([p.weight for p in batch], device=better.device)
            margins = beta * (better - worse - reference)
            loss = -(weight * torch.nn.functional.logsigmoid(margins)).sum()
            if backward:
                loss.backward()
        total += float(loss.detach())
    if not np.isfinite(total):
        raise NonFiniteLossError(f"the target loss of a merge is {total}")
    return total


def logprobs(model: Any, lm: LanguageModel, texts: Sequence[tuple[list[int], list[int]]]) -> Tensor:
    """Return log p(answer | prompt), summed over tokens, shape (b,), with gradients.

    Args:
        model: The base with an adapter.
        lm: The base with its tokenizer.
        texts: Prompt and answer as token ids, b of them.
    """
    rows = [prompt + answer for prompt, answer in texts]
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), int(lm.tokenizer.pad_token_id))
    there, counts = torch.zeros_like(ids), torch.zeros_like(ids)
    for i, (row, (prompt, _)) in enumerate(zip(rows, texts, strict=True)):
        ids[i, : len(row)] = torch.tensor(row)
        there[i, : len(row)] = 1
        counts[i, len(prompt) : len(row)] = 1
    ids, there, counts = (t.to(lm.device) for t in (ids, there, counts))
    logits = model(input_ids=ids, attention_mask=there).logits[:, :-1].float()
    chosen = logits.gather(-1, ids[:, 1:, None])[..., 0] - logits.logsumexp(-1)
    total: Tensor = (chosen * counts[:, 1:]).sum(dim=1)
    return total
