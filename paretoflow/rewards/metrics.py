"""Accuracy and calibration of a reward on held-out pairs."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from paretoflow.core.values import FloatArray

BINS = 10
"""Bins of the calibration error."""


@dataclass(frozen=True)
class RewardMetrics:
    """Metrics of one reward on held-out pairs.

    Args:
        objective: Name of the objective, or the group, of the pairs.
        folder: Folder of the model, relative to the output folder.
        output: Output of the model.
        trained, held_out: Numbers of pairs.
        accuracy: Share of held-out pairs whose chosen answer has the larger reward; ties count
            half.
        accuracy_stderr: Its standard error.
        ece: Expected calibration error, see `calibration_error`.
        loss: Mean Bradley-Terry loss in nats; log 2 for a constant reward.
    """

    objective: str
    folder: str
    output: int
    trained: int
    held_out: int
    accuracy: float
    accuracy_stderr: float
    ece: float
    loss: float

    def to_dict(self) -> dict[str, object]:
        """Return the metrics as plain values."""
        return asdict(self)


def measured_margins(
    place: tuple[str, str, int], counts: tuple[int, int], margins: FloatArray
) -> RewardMetrics:
    """Return the metrics of a reward from its margins on held-out pairs.

    Args:
        place: Objective, folder and output.
        counts: Numbers of training pairs and of held-out pairs.
        margins: Reward of the chosen answer minus that of the rejected one, shape (n,).
    """
    accuracy = ranking_accuracy(margins)
    return RewardMetrics(
        *place,
        *counts,
        accuracy=accuracy,
        accuracy_stderr=float(np.sqrt(accuracy * (1 - accuracy) / len(margins))),
        ece=calibration_error(margins),
        loss=float(bradley_terry_losses(margins).mean()),
    )


def bradley_terry_losses(margins: FloatArray) -> FloatArray:
    """Return -log sigmoid(r_w - r_l) of each pair in nats, shape (n,).

    By hand: a margin of 0 costs log 2 = 0.6931, one of 2 costs 0.1269.

    Args:
        margins: Reward of the chosen answer minus that of the rejected one, shape (n,).

    References:
        Bradley and Terry 1952; Ouyang et al. 2022, arXiv 2203.02155, eq. 1.
    """
    losses: FloatArray = np.logaddexp(0.0, -np.asarray(margins, dtype=np.float64))
    return losses


def ranking_accuracy(margins: FloatArray) -> float:
    """Return the share of pairs with a positive margin, a tie counting half."""
    margins = np.asarray(margins, dtype=np.float64)
    return float(np.mean((margins > 0) + 0.5 * (margins == 0)))


def calibration_error(margins: FloatArray, bins: int = BINS) -> float:
    """Return the expected calibration error of sigmoid(r_w - r_l).

    The reward's confidence in its own ranking is max(p, 1 - p) with p = sigmoid(margin). Pairs are
    put into bins of equal width on [0.5, 1]; ECE = sum over bins of (n_bin / n) |accuracy -
    mean confidence|.

    By hand: margins log 4 (twice) and -log 4 give confidence 0.8 three times, of which 2/3 are
    right, so ECE = 0.8 - 2/3 = 0.1333. Margins of 0 are never wrong to be unsure: 0.

    Args:
        margins: Shape (n,), n at least 1.
        bins: Number of bins.

    References:
        Guo et al. 2017, arXiv 1706.04599, eq. 3; Zeng et al. 2023 (MORE), arXiv 2312.07401, for
        rewards. Departure: the paper does not say how pairs are oriented; confidence in the
        reward's own ranking is taken, so the bins reach from 0.5 to 1.
    """
    margins = np.asarray(margins, dtype=np.float64)
    confidence = 1.0 / (1.0 + np.exp(-np.abs(margins)))
    right = (margins > 0) + 0.5 * (margins == 0)
    place = np.minimum(((confidence - 0.5) * 2 * bins).astype(np.int64), bins - 1)
    gaps = [abs(float((right - confidence)[place == b].sum())) for b in range(bins)]
    return sum(gaps) / len(margins)
