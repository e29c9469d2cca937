"""Groups of annotators by their choices: a mixture of linear rewards by hard EM.

Pure arrays: a pair is the difference of two embeddings, chosen minus rejected.

References:
    Chakraborty et al. 2024 (MaxMin-RLHF), arXiv 2402.08925, algorithm 2. Departures: (1) the
    rewards that EM refits are linear in frozen embeddings, so that a round takes milliseconds; the
        groups it finds are then trained like objectives; (2) a ridge keeps separable groups finite;
    (3) starts are drawn as in k-means++ over the annotators' mean differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray, IntArray
from paretoflow.rewards.metrics import bradley_terry_losses

_NEWTON_STEPS = 25
_STILL = 1e-8


@dataclass(frozen=True)
class Search:
    """Settings of the search for groups.

    Args:
        groups: U, at least 1.
        restarts: Number of starts; the likeliest result is kept.
        iterations: Maximum rounds per start.
        ridge: Half of it times the squared weights is added to the loss.
        seed: Seed of the starts.
    """

    groups: int
    restarts: int = 8
    iterations: int = 50
    ridge: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class GroupMixture:
    """Groups and their rewards.

    Args:
        groups: Group of each annotator, 0 the one with most of them, shape (a,).
        weights: Weights of each group's linear reward, shape (U, d).
        log_likelihood: Log-likelihood of all choices, each under its annotator's group, in nats.
    """

    groups: IntArray
    weights: FloatArray
    log_likelihood: float


def fit_reward(differences: FloatArray, ridge: float) -> FloatArray:
    """Return the linear Bradley-Terry reward of some pairs, shape (d,), by Newton's method.

    Minimises sum_i log(1 + e^(-w.x_i)) + ridge / 2 |w|^2. By hand: one pair x = (1,) with ridge 0.5
    has its minimum where sigmoid(-w) = w / 2: w = 0.6748. No pair gives zeros.

    Args:
        differences: Embedding of chosen minus rejected, shape (n, d).
        ridge: Positive.
    """
    d = differences.shape[1]
    w: FloatArray = np.zeros(d)
    for _ in range(_NEWTON_STEPS):
        doubt = 1.0 / (1.0 + np.exp(np.clip(differences @ w, -500, 500)))
        gradient = ridge * w - differences.T @ doubt
        curve = (differences * (doubt * (1 - doubt))[:, None]).T @ differences
        step = np.linalg.solve(curve + ridge * np.eye(d), gradient)
        w = w - step
        if float(np.abs(step).max()) < _STILL:
            break
    return w


def choose_groups(
    differences: FloatArray, annotators: IntArray, weights: FloatArray
) -> tuple[IntArray, float]:
    """Return the likeliest group of each annotator, shape (a,), and the log-likelihood.

    The E-step: annotator h goes to argmax over u of the sum over their pairs of log sigmoid(w_u.x).
    By hand: w = (1,), (-1,) and annotator 0 with pairs 2 and -1 (sum of losses 0.127 + 1.313 = 1.44
    against 2.127 + 0.313 = 2.44) goes to group 0.

    Args:
        differences: Shape (n, d).
        annotators: Annotator of each pair, 0 to a - 1, shape (n,).
        weights: Shape (U, d).
    """
    losses = bradley_terry_losses(differences @ weights.T)
    per_annotator = np.zeros((int(annotators.max()) + 1, len(weights)))
    np.add.at(per_annotator, annotators, losses)
    return per_annotator.argmin(axis=1), -float(per_annotator.min(axis=1).sum())


def find_groups(differences: FloatArray, annotators: IntArray, search: Search) -> GroupMixture:
    """Return the likeliest mixture of all starts.

    Args:
        differences: Embedding of chosen minus rejected, shape (n, d).
        annotators: Annotator of each pair, 0 to a - 1, each at least once, shape (n,).
        search: Settings of the search.
    """
    rng = np.random.default_rng(search.seed)
    counts = np.bincount(annotators)[:, None]
    means = np.zeros((len(counts), differences.shape[1]))
    np.add.at(means, annotators, differences)
    best: GroupMixture | None = None
    for _ in range(search.restarts):
        found = _climb(differences, annotators, _start(means / counts, search.groups, rng), search)
        if best is None or found.log_likelihood > best.log_likelihood:
            best = found
    assert best is not None  # there is at least one start
    return best


def _climb(
    differences: FloatArray, annotators: IntArray, groups: IntArray, search: Search
) -> GroupMixture:
    """Alternate refitting and reassigning until no annotator changes group."""
    for _ in range(search.iterations):
        weights = np.stack(
            [
                fit_reward(differences[groups[annotators] == u], search.ridge)
                for u in range(search.groups)
            ]
        )
        chosen, log_likelihood = choose_groups(differences, annotators, weights)
        still, groups = np.array_equal(chosen, groups), chosen
        if still:
            break
    sizes = np.bincount(groups, minlength=search.groups)
    order = np.argsort(-sizes, kind="stable")
    rank: IntArray = np.empty_like(order)
    rank[order] = np.arange(search.groups)
    return GroupMixture(rank[groups], weights[order], log_likelihood)


def _start(means: FloatArray, groups: int, rng: np.random.Generator) -> IntArray:
    """Return a first group of each annotator: the nearest of some centres far from each other."""
    centres = [means[rng.integers(len(means))]]
    for _ in range(groups - 1):
        far = np.min([np.square(means - c).sum(axis=1) for c in centres], axis=0)
        share = far / far.sum() if far.sum() > 0 else None
        centres.append(means[rng.choice(len(means), p=share)])
    distances = np.stack([np.square(means - c).sum(axis=1) for c in centres])
    nearest: IntArray = distances.argmin(axis=0)
    return nearest


def projected(differences: FloatArray, components: int) -> FloatArray:
    """Return differences on their first principal axes, scaled to a mean square of one.

    A linear reward on many raw embedding dimensions would be slow to fit and fit anything. The axes
    go through zero: a difference's sign means which answer was chosen.

    Args:
        differences: Shape (n, d).
        components: Axes kept, at most min(n, d).

    Returns:
        Shape (n, components).
    """
    _, _, axes = np.linalg.svd(differences, full_matrices=False)
    found = differences @ axes[:components].T
    scale = float(np.sqrt(np.mean(np.square(found))))
    projection: FloatArray = found / scale if scale > 0 else found
    return projection
