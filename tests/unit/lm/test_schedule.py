"""The step size over a training."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.train


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 16, 100, 1000])
def test_no_step_has_a_size_of_0_and_one_has_the_peak(steps):
    from paretoflow.lm.schedule import share_of_peak

    shares = np.array([share_of_peak(done, steps=steps) for done in range(steps)])
    assert shares.min() > 0
    assert shares.max() == 1.0
    peak = int(shares.argmax())
    assert peak == steps // 10
    assert (np.diff(shares[: peak + 1]) > 0).all()
    assert (np.diff(shares[peak:]) < 0).all()
    assert share_of_peak(steps, steps=steps) == 0  # what follows the last step


def test_twenty_steps_by_hand():
    from paretoflow.lm.schedule import share_of_peak

    shares = [share_of_peak(done, steps=20) for done in range(20)]
    assert shares[:4] == pytest.approx([1 / 3, 2 / 3, 1, 17 / 18])
    assert shares[-1] == pytest.approx(1 / 18)


def test_a_saved_schedule_goes_on_where_it_was():
    import torch
    from torch.optim.lr_scheduler import LambdaLR

    from paretoflow.lm.schedule import RisesFromItsFirstStep

    def made() -> tuple[torch.optim.Optimizer, LambdaLR]:
        trainer = RisesFromItsFirstStep()
        trainer.lr_scheduler = None
        trainer.optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
        return trainer.optimizer, trainer.create_scheduler(20)

    optimizer, schedule = made()
    for _ in range(5):
        optimizer.step()
        schedule.step()
    later, resumed = made()
    resumed.load_state_dict(schedule.state_dict())
    later.step()
    resumed.step()
    assert resumed.get_last_lr() == pytest.approx([2.0 * 14 / 18])
