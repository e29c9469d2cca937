"""Objective weights for each prompt, learnt from the scores of the preferred answers.

Letters: P prompts, C answers to each, m objectives, d features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from paretoflow.core.protocols import Candidates
from paretoflow.core.values import FloatArray
from paretoflow.lm.base import LanguageModel, evaluating
from paretoflow.methods.preferences.pairs import MARGIN_DECIMALS

SMALLEST = 1e-12
"""Smallest weight of a prompt, so that the user's weights can always be scaled by it."""

_HALVINGS = 50


def preferred_scores(candidates: Candidates) -> FloatArray:
    """Return the standardised scores of each prompt's preferred answer, shape (P, m).

    Preferred is the answer with the largest sum of standardised scores, the first among equals.
    """
    scores = candidates.standardised
    best = np.round(scores.sum(axis=2), MARGIN_DECIMALS).argmax(axis=1)
    return np.asarray(scores[np.arange(len(scores)), best], dtype=np.float64)


def target_weights(scores: FloatArray, temperature: float, floor: float) -> FloatArray:
    """Return the weights to learn: softmax(scores / temperature), kept from being one-hot.

    A row whose entropy is below `floor` times that of equal weights is mixed with equal weights
    until it reaches the floor. By hand: scores (log 3, 0) at temperature 1 give (0.75, 0.25), whose
    entropy is 0.811278 of log 2; under exactly that floor a row (1, 0) becomes (0.75, 0.25) too.

    Args:
        scores: Standardised, shape (P, m).
        temperature: Positive.
        floor: Share of the largest entropy, from 0 to 1.
    """
    scaled = scores / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return with_entropy(weights / weights.sum(axis=1, keepdims=True), floor)


def with_entropy(weights: FloatArray, floor: float) -> FloatArray:
    """Return rows of weights, mixed with as much of equal weights as the entropy floor needs.

    See `target_weights`; the share is found by halving, to within 1e-15.
    """
    m = weights.shape[1]
    least = floor * np.log(m)
    low, high = np.zeros((len(weights), 1)), np.ones((len(weights), 1))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = _entropy((1 - middle) * weights + middle / m) >= least
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    share = np.where(_entropy(weights) >= least, 0.0, high)
    return np.asarray((1 - share) * weights + share / m, dtype=np.float64)


def fitted_weights(features: FloatArray, targets: FloatArray, ridge: float) -> FloatArray:
    """Return the weights f(x) of the linear softmax model that is nearest to the targets.

    f minimises the mean of KL(target || f(x)) plus ridge / 2 times the squared norm of its matrix
    (not of its offset), on features scaled to mean 0 and an average squared length of 1. The
    problem is convex and starts from zero, so nothing is random. With a very large ridge f is the
    mean target everywhere.

    Args:
        features: Shape (P, d).
        targets: Rows on the simplex, shape (P, m).
        ridge: Positive.

    Returns:
        Rows on the simplex, each entry at least `SMALLEST`, shape (P, m).
    """
    spread = np.maximum(features.std(axis=0), 1e-8) * np.sqrt(features.shape[1])
    x = torch.tensor((features - features.mean(axis=0)) / spread, dtype=torch.float64)
    y = torch.tensor(targets, dtype=torch.float64)
    matrix = torch.zeros((x.shape[1], y.shape[1]), dtype=torch.float64, requires_grad=True)
    offset = torch.zeros(y.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [matrix, offset],
        max_iter=1000,
        tolerance_grad=1e-10,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def loss() -> float:
        optimiser.zero_grad()
        logs = (x @ matrix + offset).log_softmax(dim=1)
        value = functional.kl_div(logs, y, reduction="batchmean")
        value = value + ridge / 2 * matrix.square().sum()
        value.backward()
        return float(value.detach())

    optimiser.step(loss)
    with torch.no_grad():
        fitted = (x @ matrix + offset).softmax(dim=1)
    return np.maximum(fitted.numpy(), SMALLEST)


def composed(weights: FloatArray, factors: FloatArray) -> FloatArray:
    """Return each prompt's weights: proportional to the user's times the prompt's, (P, m).

    By hand: (0.2, 0.8) with a prompt's (0.8, 0.2) gives (0.5, 0.5). One-hot weights are bitwise
    unchanged.

    Args:
        weights: The user's, shape (m,).
        factors: The prompts', positive, shape (P, m).
    """
    products = weights * factors
    return np.asarray(products / products.sum(axis=1, keepdims=True), dtype=np.float64)


def prompt_features(
    lm: LanguageModel, prompt_ids: Sequence[Sequence[int]], batch_size: int
) -> FloatArray:
    """Return the base's last hidden state, averaged over each prompt's tokens, shape (P, d)."""
    rows = []
    with evaluating(lm.model):
        for start in range(0, len(prompt_ids), batch_size):
            batch = [torch.tensor(ids) for ids in prompt_ids[start : start + batch_size]]
            pad = float(lm.tokenizer.pad_token_id)
            ids = pad_sequence(batch, batch_first=True, padding_value=pad).to(lm.device)
            ones = [torch.ones_like(row) for row in batch]
            mask = pad_sequence(ones, batch_first=True).to(lm.device)
            states = lm.model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
            shares = (mask / mask.sum(dim=1, keepdim=True))[..., None]
            rows.append((states.double() * shares).sum(dim=1).cpu().numpy())
    return np.concatenate(rows)


def _entropy(weights: FloatArray) -> FloatArray:
    """Return the entropy of each row in nats, shape (n, 1)."""
    terms = weights * np.log(np.maximum(weights, SMALLEST))
    return np.asarray(-terms.sum(axis=1, keepdims=True), dtype=np.float64)
