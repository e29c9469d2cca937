"""Log-probabilities of given answers under a model, without gradients.

Training losses compute their own; this serves references and diagnostics, and whatever else
follows from the logits along given answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from paretoflow.core.values import FloatArray
from paretoflow.lm.base import LanguageModel, evaluating
from paretoflow.lm.prefill import extend, prefill


def sequence_logprobs(
    model: PreTrainedModel,
    lm: LanguageModel,
    prompt_ids: Sequence[Sequence[int]],
    completion_ids: Sequence[Sequence[int]],
    batch_size: int,
) -> FloatArray:
    """Return log p(completion | prompt) in nats at temperature 1, summed over tokens, shape (n,).

    No prompt may be empty; an empty completion has log-probability 0. Batch size and padding
    change a result by less than 1e-4 in float32.
    """
    rows = measured(
        model,
        lm,
        (prompt_ids, completion_ids),
        batch_size,
        lambda logits, ids: _chosen(logits, ids).sum(dtype=torch.float64)[None],
    )
    return rows[:, 0]


def measured(
    model: PreTrainedModel,
    lm: LanguageModel,
    texts: tuple[Sequence[Sequence[int]], Sequence[Sequence[int]]],
    batch_size: int,
    measure: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    width: int = 1,
) -> FloatArray:
    """Return numbers of each completion that follow from its next-token logits, shape (n, width).

    Args:
        model: The base, with or without an adapter.
        lm: The base with its tokenizer.
        texts: Prompts, none empty, and completions, as token ids, n each; an empty completion
            gives zeros.
        batch_size: Completions in a forward pass.
        measure: Logits of shape (t, vocabulary), in float32, and the completion's own ids, shape
            (t,), to a float64 tensor of shape (width,).
        width: Numbers that `measure` returns.
    """
    prompt_ids, completion_ids = texts
    total = np.zeros((len(prompt_ids), width))
    order = sorted(
        (i for i in range(len(prompt_ids)) if completion_ids[i]),
        key=lambda i: (len(prompt_ids[i]), tuple(prompt_ids[i]), i),
    )
    with evaluating(model):
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = [prompt_ids[i] for i in rows], [completion_ids[i] for i in rows]
            total[rows] = _batch(model, lm, batch, measure)
    return total


def _batch(
    model: PreTrainedModel,
    lm: LanguageModel,
    texts: tuple[Sequence[Sequence[int]], Sequence[Sequence[int]]],
    measure: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> FloatArray:
    prompt_ids, completion_ids = texts
    width = max(map(len, completion_ids))
    ids = torch.full((len(completion_ids), width), int(lm.tokenizer.pad_token_id))
    mask = torch.zeros_like(ids)
    for row, completion in enumerate(completion_ids):
        ids[row, : len(completion)] = torch.tensor(completion)
        mask[row, : len(completion)] = 1
    ids, mask = ids.to(lm.device), mask.to(lm.device)
    prefix = prefill(model, lm, prompt_ids)
    first = prefix.logits[:, None]
    after = extend(model, lm, prefix, ids[:, :-1], mask[:, :-1]) if width > 1 else first[:, :0]
    found = []
    # row by row: a float32 copy of all logits at once can be larger than the model
    for row, completion in enumerate(completion_ids):
        length = len(completion)
        logits = torch.cat([first[row], after[row, : length - 1].float()])
        found.append(measure(logits, ids[row, :length]))
    return np.asarray(torch.stack(found).cpu().numpy())


def _chosen(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Return the log-probability of each id, shape (t,), from logits of shape (t, vocabulary)."""
    return logits.gather(1, ids[:, None])[:, 0] - logits.logsumexp(-1)
