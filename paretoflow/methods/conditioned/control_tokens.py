"""Control tokens: a spare word of the vocabulary for each bin of each objective's scores.

Bin 0 is the lowest. Only low-rank deltas of the control tokens' embeddings are trained: an ordinary
LoRA on the embedding layer. PEFT stores a column for each token of the vocabulary; all except those
of the control tokens stay zero. The output layer is not changed, even where it is tied to the
embeddings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from peft.tuners.lora import Embedding
from torch.nn import Parameter

from paretoflow.core.errors import MethodError
from paretoflow.core.protocols import Candidates
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.saved_adapter import ADAPTER

_DECIMALS = 9


def bins_of(scores: FloatArray, count: int) -> IntArray:
    """Return the quantile bin of each score within its column, shape (n, m).

    A score on an edge belongs to the bin above. By hand: 0 to 8 in 3 bins have the edges 8/3 and
    16/3 (linear interpolation), so 0 to 2 are in bin 0, 3 to 5 in bin 1 and 6 to 8 in bin 2.

    Args:
        scores: Shape (n, m), n at least 1.
        count: Number of bins.
    """
    scores = np.round(scores, _DECIMALS)
    edges = np.round(np.quantile(scores, np.arange(1, count) / count, axis=0), _DECIMALS)
    return np.asarray((scores[None] >= edges[:, None]).sum(axis=0), dtype=np.int64)


def bins_for(weights: FloatArray, count: int) -> tuple[int, ...]:
    """Return the bin of each objective for a preference.

    The share min(m w, 1) of the range, as RiC's `linf` goals: the largest weight selects the
    highest bin, and equal weights select it for every objective. By hand: 3 bins and w = (0.75,
    0.25) have the shares (1, 0.5) and select bins 2 and 1.

    Args:
        weights: Shape (m,), summing to 1.
        count: Number of bins.
    """
    shares = np.round(np.minimum(len(weights) * weights, 1.0), _DECIMALS)
    return tuple(int(min(share * count, count - 1)) for share in shares)


@dataclass(frozen=True)
class Controls:
    """The control words of all objectives.

    Args:
        words: The words of each objective's bins by its name, lowest bin first.
        ids: Token ids of all words.
    """

    words: Mapping[str, tuple[str, ...]]
    ids: tuple[int, ...]

    def prefix(self, bins: Mapping[str, int]) -> str:
        """Return the prefix of a prompt: a line with a word for each objective, by name."""
        return "".join(f"{self.words[name][bins[name]]}\n" for name in sorted(bins))


def make_controls(
    lm: LanguageModel, candidates: Candidates, names: Sequence[str], bins: int
) -> Controls:
    """Assign a spare word to each bin of each objective, in the order of their names.

    A spare word consists of letters or digits, is one token, also on a line of its own, and occurs
    in no train prompt and no answer of the base. Words are taken from the end of the vocabulary,
    which holds the rarest.

    Raises:
        MethodError: If there are too few spare words.
    """
    wanted = len(names) * bins
    found = []
    for word in _spare(lm, _used(candidates)):
        found.append(word)
        if len(found) == wanted:
            break
    if len(found) < wanted:
        raise MethodError(
            f"got {len(found)} spare words in the vocabulary of {lm.name}; allowed: {wanted} or "
            f"more, {bins} for each of {len(names)} objectives",
            hint="lower method.bins, or use a base with a larger vocabulary",
        )
    ordered = sorted(names)
    rows = [tuple(w for _, w in found[k * bins : (k + 1) * bins]) for k in range(len(ordered))]
    return Controls(dict(zip(ordered, rows, strict=True)), tuple(i for i, _ in found))


def _used(candidates: Candidates) -> set[int]:
    rows: Iterable[Sequence[int]] = (
        *candidates.prompt_ids,
        *(ids for row in candidates.completion_ids for ids in row),
    )
    return {token for ids in rows for token in ids}


def _spare(lm: LanguageModel, used: set[int]) -> Iterator[tuple[int, str]]:
    """Yield (id, word), from the vocabulary's end."""
    for token in range(len(lm.tokenizer) - 1, -1, -1):
        word = lm.tokenizer.decode([token])
        if token in used or not word.isalnum():
            continue
        if encode(lm, [f"{word}\n{word}\n"])[0].count(token) == 2:
            yield token, word


def control_layer(model: Any) -> Embedding:
    """Return the LoRA on the embeddings of a model whose adapter has control tokens.

    Raises:
        MethodError: If there is none.
    """
    layer = model.get_input_embeddings()
    if not isinstance(layer, Embedding):
        raise MethodError(
            "got an adapter without control tokens",
            hint="start from the base, or from a parent of the same method and objectives",
        )
    return layer


def control_parameters(layer: Embedding, ids: Sequence[int]) -> list[Parameter]:
    """Return the deltas' two factors, restricted to training the control tokens only.

    The hook on the gradients lives as long as the adapter.
    """
    columns = layer.lora_embedding_A[ADAPTER]
    mask = torch.zeros(columns.shape[1], device=columns.device, dtype=columns.dtype)
    mask[list(ids)] = 1.0
    columns.register_hook(lambda gradient: gradient * mask)
    return [columns, layer.lora_embedding_B[ADAPTER]]
