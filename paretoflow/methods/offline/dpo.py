"""Direct preference optimisation on pairs that the weighted, standardised score ranks."""

from __future__ import annotations

from typing import Any

from paretoflow.methods.offline.base import PairMethod
from paretoflow.spec.methods import DpoMethodSpec


class DpoMethod(PairMethod[DpoMethodSpec]):
    """DPO whose preference is made from weights w: answer a beats answer b where w.(r_a - r_b) > 0.

    The scores r are standardised. With D the log-ratio to the base of the better answer minus that
    of the worse, the losses are: sigmoid -log s(beta D); hinge max(0, 1 - beta D); ipo (D' - 1/(2
    beta))^2, D' from log-ratios per token. By hand: beta = 0.1 and D = 5 give 0.4741, 0.5 and (for
    one-token answers) 0.

    References:
        Rafailov et al. 2023, arXiv 2305.18290, eq. 7. Azar et al. 2023, arXiv 2310.12036, eq. 17
        (ipo; per-token log-ratios as in TRL). Zhao et al. 2023, arXiv 2305.10425 (hinge).
        Departures: (1) pairs are the base's own answers, ranked by scores and not by people; (2)
        the reference is the base, also for a run that starts from a parent, so all points of a
        front answer to one reference. (3) beta is 1 by default, where pairs of people's preferences
        ask for 0.1: the base's own answers are likely under it, so that a run which is trained for
        long without that pull ends in answers nobody asked for. Measured on three tasks in
        `tests/benchmarks/results/dpo_defaults.md`.
    """

    def options(self) -> dict[str, Any]:
        """Return the loss."""
        return {"loss_type": [self._spec.loss]}
