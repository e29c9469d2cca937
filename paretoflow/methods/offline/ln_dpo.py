"""Length-normalised DPO: log-ratios per token."""

from __future__ import annotations

from typing import Any

from paretoflow.methods.offline.base import PairMethod
from paretoflow.spec.methods import LnDpoMethodSpec


class LnDpoMethod(PairMethod[LnDpoMethodSpec]):
    """LN-DPO: the loss is -log s(beta D), D the better log-ratio per token minus the worse.

    A mean over tokens is as many times smaller than the sum as the answer has tokens, so beta is
    ten to a hundred times DPO's for the same pull. By hand: beta = 5, log-ratios 0.6 over 3 tokens
    and -0.4 over 2: D = 0.2 + 0.2, loss log(1 + e^-2) = 0.126928.

    References:
        Ahrabian et al. 2024, arXiv 2407.15229, as TRL's `sigmoid_norm`. Departures: those of
        `DpoMethod`.
    """

    def options(self) -> dict[str, Any]:
        """Return the loss."""
        return {"loss_type": ["sigmoid_norm"]}
