"""DPO under other divergences from the base."""

from __future__ import annotations

from typing import Any

from paretoflow.methods.offline.base import PairMethod
from paretoflow.spec.methods import FDpoMethodSpec

DIVERGENCES = {
    "reverse_kl": "reverse_kl",
    "forward_kl": "forward_kl",
    "js": "js_divergence",
    "alpha": "alpha_divergence",
}
"""Our names to TRL's."""


class FDpoMethod(PairMethod[FDpoMethodSpec]):
    """f-DPO: the loss is -log s(beta (f'(p_w) - f'(p_l))), p an answer's ratio pi / pi_base.

    f' is, up to a constant that cancels: reverse_kl log p; forward_kl -1/p; js log(2p / (1 + p));
    alpha (1 - p^-alpha) / alpha, which is reverse_kl at 0 and forward_kl at 1. By hand: beta = 1,
    p_w = 4, p_l = 1, alpha = 0.5: (1 - 1/2) / 0.5 - 0 = 1, loss log(1 + e^-1) = 0.313262.

    References:
        Wang et al. 2023, arXiv 2309.16240. TRL's coefficient a has f' = (p^(a -
        1) - 1) / (a - 1), so a = 1 - alpha. Departures: those of `DpoMethod`.
    """

    def options(self) -> dict[str, Any]:
        """Return the loss and its divergence."""
        return {
            "loss_type": ["sigmoid"],
            "f_divergence_type": DIVERGENCES[self._spec.divergence],
            "f_alpha_divergence_coef": trl_coefficient(self._spec.alpha),
        }


def trl_coefficient(alpha: float) -> float:
    """Return TRL's coefficient of the alpha divergence that the paper calls alpha."""
    return 1.0 - alpha
