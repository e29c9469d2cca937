"""`svh_psl`: Pareto set learning whose particles share their gradients and repel each other."""

from __future__ import annotations

from paretoflow.proposers.particles import stein
from paretoflow.proposers.psl import PslProposer


class SvhPslProposer(PslProposer):
    """Chooses as `psl`, with particles that a Stein kernel keeps apart.

    References:
        Nguyen et al. 2024, arXiv 2412.17312; the departures are those of `particles.stein` and
        of `psl`.
    """

    tag = "svh_psl"
    push = staticmethod(stein)
