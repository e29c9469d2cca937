"""What the methods with heads, control tokens or prompt weights need and can do."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities
from paretoflow.methods.catalogue.launches import TRAINING_LAUNCHES

HEADS: dict[str, Capabilities] = {
    "mah_dpo": Capabilities(
        paper="Shen et al. 2025, arXiv 2510.01167",
        kind="conditioned",
        data="pairs",
        serves="continuum",
        distributed="single",
        launches=("weighted",),
        distributed_note="its hook on the output layer has been tried on one rank only",
    ),
    "meet": Capabilities(
        paper="Xue et al. 2023, arXiv 2310.00819",
        kind="conditioned",
        data="scored",
        serves="continuum",
        distributed="single",
        launches=("weighted",),
        distributed_note="gradients are dropped between passes, as DeepSpeed would not allow",
    ),
    "pro": Capabilities(
        paper="Liu et al. 2025, arXiv 2511.10656",
        kind="offline",
        data="pairs",
        serves="point",
        distributed="zero",
        launches=TRAINING_LAUNCHES,
    ),
}
"""YAML tag to capabilities."""
