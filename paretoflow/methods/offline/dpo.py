"""Direct preference optimisation (DPO) on pairs ranked by the weighted, standardised score.

Four tags that differ in the loss alone: `dpo`, `ipo`, `ln_dpo` and `f_dpo`.
"""

from __future__ import annotations

from typing import Any

from paretoflow.methods.offline.base import PairMethod
from paretoflow.spec.methods import DpoMethodSpec, FDpoMethodSpec, IpoMethodSpec, LnDpoMethodSpec


class DpoMethod(PairMethod[DpoMethodSpec]):
    """DPO with preferences from weights w: answer a beats answer b where w.(r_a - r_b) > 0.

    The scores r are standardised. With D the log-ratio to the base of the better answer minus that
    of the worse, the losses are: sigmoid -log s(beta D); hinge max(0, 1 - beta D); ipo (D' - 1/(2
    beta))^2, D' from log-ratios per token. By hand: beta = 0.1 and D = 5 give 0.4741, 0.5 and (for
    one-token answers) 0.

    References:
        Rafailov et al. 2023, arXiv 2305.18290, eq. 7. Azar et al. 2023, arXiv 2310.12036, eq. 17
        (ipo; per-token log-ratios as in TRL). Zhao et al. 2023, arXiv 2305.10425 (hinge).
        Departures: (1) where people gave no pairs (see `preferences.pairs`), they are the base's
        own answers, ranked by scores; (2) the reference is the base, also for a run that starts
        from a parent, so all points of a front share one reference. (3) beta is 1 by default, where
        pairs from people's preferences need 0.1: the base's own answers are likely under the base,
        so a long run without a strong KL term degenerates. Measured on three tasks in
        `tests/benchmarks/results/dpo_defaults.md`.
    """

    def options(self) -> dict[str, Any]:
        """Return the loss."""
        return {"loss_type": [self._spec.loss]}


class IpoMethod(PairMethod[IpoMethodSpec]):
    """IPO: the loss is (D - 1/(2 beta))^2, minimal at a finite margin, so no pair diverges.

    D is the better answer's log-ratio to the base per token minus the worse's. By hand: beta = 0.1,
    log-ratios 6 over 3 tokens and -2 over 2: D = 2 + 1 = 3, loss (3 - 5)^2 = 4.

    References:
        Azar et al. 2023, arXiv 2310.12036, eq. 17. Departures: those of `DpoMethod`; (3) log-ratios
        are means over tokens, as in TRL, whose authors had this confirmed.
    """

    def options(self) -> dict[str, Any]:
        """Return the loss."""
        return {"loss_type": ["ipo"]}


class LnDpoMethod(PairMethod[LnDpoMethodSpec]):
    """LN-DPO: the loss is -log s(beta D), D the better log-ratio per token minus the worse.

    A mean over tokens is as many times smaller than the sum as the answer has tokens, so beta is
    ten to a hundred times DPO's for the same KL. By hand: beta = 5, log-ratios 0.6 over 3 tokens
    and -0.4 over 2: D = 0.2 + 0.2, loss log(1 + e^-2) = 0.126928.

    References:
        Ahrabian et al. 2024, arXiv 2407.15229, as TRL's `sigmoid_norm`. Departures: those of
        `DpoMethod`.
    """

    def options(self) -> dict[str, Any]:
        """Return the loss."""
        return {"loss_type": ["sigmoid_norm"]}


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
