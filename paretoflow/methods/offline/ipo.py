"""Identity preference optimisation: DPO's pairs under a squared loss."""

from __future__ import annotations

from typing import Any

from paretoflow.methods.offline.base import PairMethod
from paretoflow.spec.methods import IpoMethodSpec


class IpoMethod(PairMethod[IpoMethodSpec]):
    """IPO: the loss is (D - 1/(2 beta))^2, least at a finite margin, so sure pairs don't run away.

    D is the better answer's log-ratio to the base per token minus the worse's. By hand: beta = 0.1,
    log-ratios 6 over 3 tokens and -2 over 2: D = 2 + 1 = 3, loss (3 - 5)^2 = 4.

    References:
        Azar et al. 2023, arXiv 2310.12036, eq. 17. Departures: those of `DpoMethod`; (3)
        log-ratios are means over tokens, as in TRL, whose authors had it confirmed.
    """

    def options(self) -> dict[str, Any]:
        """Return the loss."""
        return {"loss_type": ["ipo"]}
