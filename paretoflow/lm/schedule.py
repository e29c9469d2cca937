"""Learning-rate schedule: up over a tenth of the steps, then down, and never 0."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def share_of_peak(done: int, *, steps: int) -> float:
    """Return the learning rate of the next step over its peak, after `done` of `steps`.

    With w a tenth of the steps, step w + 1 has the peak, the steps before it rise evenly from 1/(w
    + 1), and those after it fall evenly to 1/(steps - w). By hand, 20 steps: 1/3, 2/3, 1, 17/18, …,
    1/18. transformers' own schedule begins at 0, which wastes a run's first batch.
    """
    warmup = steps // 10
    return min((done + 1) / (warmup + 1), (steps - done) / (steps - warmup))


class RisesFromItsFirstStep:
    """Mixin for trainers: the schedule is `share_of_peak`. List it before transformers' trainer.

    With `follows_arguments` it is transformers' own, as its arguments say.
    """

    lr_scheduler: Any
    optimizer: Any
    follows_arguments: bool = False

    def create_scheduler(
        self, num_training_steps: int, optimizer: Optimizer | None = None
    ) -> LambdaLR:
        """Create the schedule; transformers calls this."""
        if self.follows_arguments:
            theirs: LambdaLR = super().create_scheduler(num_training_steps, optimizer)  # type: ignore[misc]
            return theirs
        if self.lr_scheduler is None:
            share = partial(share_of_peak, steps=num_training_steps)
            self.lr_scheduler = LambdaLR(self.optimizer if optimizer is None else optimizer, share)
        made: LambdaLR = self.lr_scheduler
        return made
