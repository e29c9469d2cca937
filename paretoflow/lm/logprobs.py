"""Log-probabilities of given answers under a model, without gradients.

Training losses compute their own; this module serves references and diagnostics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from paretoflow.core.values import FloatArray
from paretoflow.lm.base import LanguageModel, evaluating
from paretoflow.lm.finite import logits_error
from paretoflow.lm.prefill import extend, prefill
from paretoflow.lm.topk import topk_of_tokens


def sequence_logprobs(
    model: PreTrainedModel,
    lm: LanguageModel,
    prompt_ids: Sequence[Sequence[int]],
    completion_ids: Sequence[Sequence[int]],
    batch_size: int,
    beat: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Return log p(completion | prompt) in nats at temperature 1, summed over tokens, shape (n,).

    No prompt may be empty; an empty completion has log-probability 0. Batch size and padding
    change a result by less than 1e-4 in float32.

    Args:
        model: The model that rates the answers.
        lm: Its tokenizer, device and base.
        prompt_ids: Tokens of each prompt.
        completion_ids: Tokens of each answer.
        batch_size: Answers per forward pass.
        beat: Called after every batch.

    Raises:
        ModelError: If the bare base's logits are not finite.
        NonFiniteLossError: If those of a model with an adapter are not.
    """
    total = np.zeros(len(prompt_ids))
    order = sorted(
        (i for i in range(len(prompt_ids)) if completion_ids[i]),
        key=lambda i: (len(prompt_ids[i]), tuple(prompt_ids[i]), i),
    )
    with evaluating(model):
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            total[rows] = _batch_logprobs(
                model, lm, [prompt_ids[i] for i in rows], [completion_ids[i] for i in rows]
            )
            beat()
    odd = np.flatnonzero(~np.isfinite(total))
    if len(odd):
        raise logits_error(model, lm, f"answer {odd[0]} of {len(total)}, whose likelihood is asked")
    return total


def _batch_logprobs(
    model: PreTrainedModel,
    lm: LanguageModel,
    prompt_ids: Sequence[Sequence[int]],
    completion_ids: Sequence[Sequence[int]],
) -> FloatArray:
    ids, mask = _padded(completion_ids, lm)
    width = ids.shape[1]
    prefix = prefill(model, lm, prompt_ids)
    chosen = [_chosen(prefix.logits, ids[:, 0])[:, None]]
    if width > 1:
        logits = extend(model, lm, prefix, ids[:, :-1], mask[:, :-1])
        # row by row: a float32 copy of all logits at once can be larger than the model
        rows = [_chosen(row, row_ids) for row, row_ids in zip(logits, ids[:, 1:], strict=True)]
        chosen.append(torch.stack(rows))
    total = (torch.cat(chosen, dim=1) * mask).sum(-1, dtype=torch.float64)
    return np.asarray(total.cpu().numpy())


def _chosen(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Return the log-probability of each id, shape (t,), from logits of shape (t, vocabulary)."""
    logits = logits.float()
    return logits.gather(1, ids[:, None])[:, 0] - logits.logsumexp(-1)


def rated(
    model: PreTrainedModel,
    lm: LanguageModel,
    prompt_ids: Sequence[Sequence[int]],
    completion_ids: Sequence[Sequence[int]],
) -> list[tuple[float, tuple[float, float, float]]]:
    """Return each answer's log-probability and means of `topk_of_tokens`, as sampling tells them.

    No prompt and no answer may be empty. All answers go through the model at once.
    """
    ids, mask = _padded(completion_ids, lm)
    with evaluating(model):
        prefix = prefill(model, lm, prompt_ids)
        first = prefix.logits
        rest = extend(model, lm, prefix, ids[:, :-1], mask[:, :-1]) if ids.shape[1] > 1 else None
    found = []
    for row, answer in enumerate(completion_ids):
        logits = first[row : row + 1]
        if rest is not None:
            logits = torch.cat([logits, rest[row, : len(answer) - 1].float()])
        logprob = float(_chosen(logits, ids[row, : len(answer)]).sum(dtype=torch.float64))
        if not np.isfinite(logprob):
            raise logits_error(model, lm, f"answer {row} of {len(completion_ids)} of a batch")
        raw, scaled, mass = topk_of_tokens(logits).double().mean(0).tolist()
        found.append((logprob, (raw, scaled, mass)))
    return found


def _padded(
    completion_ids: Sequence[Sequence[int]], lm: LanguageModel
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and mask of answers padded on the right, each of shape (b, longest)."""
    width = max(map(len, completion_ids))
    ids = torch.full((len(completion_ids), width), int(lm.tokenizer.pad_token_id))
    mask = torch.zeros_like(ids)
    for row, completion in enumerate(completion_ids):
        ids[row, : len(completion)] = torch.tensor(completion)
        mask[row, : len(completion)] = 1
    return ids.to(lm.device), mask.to(lm.device)
