from __future__ import annotations

import numpy as np
import pytest

from paretoflow.rewards.metrics import bradley_terry_losses, calibration_error, ranking_accuracy


def test_losses_by_hand() -> None:
    assert bradley_terry_losses(np.array([0.0, 2.0])) == pytest.approx([0.693147, 0.126928])


def test_calibration_error_by_hand() -> None:
    four = np.log(4)
    assert calibration_error(np.array([four, four, -four])) == pytest.approx(0.8 - 2 / 3)
    assert calibration_error(np.zeros(5)) == 0.0
    assert calibration_error(np.array([800.0, -800.0])) == pytest.approx(0.5)


def test_a_calibrated_reward_has_no_error_and_a_louder_one_has() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=20_000) * 2
    margins = np.where(rng.random(20_000) < 1 / (1 + np.exp(-truth)), truth, -truth)
    assert calibration_error(margins) < 0.02
    assert calibration_error(4 * margins) > 0.1
    assert ranking_accuracy(4 * margins) == ranking_accuracy(margins)  # ranks are all it needs


def test_a_tie_counts_half() -> None:
    assert ranking_accuracy(np.array([1.0, 0.0, -1.0, 2.0])) == pytest.approx(2.5 / 4)
