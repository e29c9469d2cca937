"""Entropy and mass of a model's most likely next tokens.

References:
    Shi et al. 2024, arXiv 2410.11677 (likelihood over-optimisation). Departure: the text leaves
    open whether probabilities are scaled to sum to one over the top k; both entropies are given.
"""

from __future__ import annotations

import math

import torch

TOP_K = 10
"""Number of most likely next tokens that count: the paper's k."""


def topk_of_tokens(logits: torch.Tensor, k: int = TOP_K) -> torch.Tensor:
    """Return raw entropy, renormalised entropy (bits) and mass of each token's top k.

    Raw: H = -sum p_i log2 p_i over the k most likely tokens; mass = sum p_i; renormalised: H of p_i
    / mass. By hand: probabilities (0.5, 0.25, 0.125, 0.125) and k = 2 give H = 0.5 + 0.5 = 1 bit
    and mass 0.75; renormalised (2/3, 1/3) gives 0.9183 bits.

    Args:
        logits: Shape (t, vocabulary).
        k: At most the vocabulary's size is used.

    Returns:
        Shape (t, 3).
    """
    log_p = logits.float().log_softmax(-1).topk(min(k, logits.shape[-1]), dim=-1).values
    p = log_p.exp()
    mass = p.sum(-1)
    # 0 log 0 is 0: a token that is certain leaves probabilities that underflow
    raw = -(p * log_p.clamp(min=-1e4)).sum(-1) / math.log(2)
    return torch.stack([raw, raw / mass + mass.log2(), mass], dim=-1)
