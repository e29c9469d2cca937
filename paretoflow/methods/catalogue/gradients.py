"""What the methods that combine one gradient for each objective need and can do."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities
from paretoflow.methods.catalogue.launches import TRAINING_LAUNCHES

GRADIENTS: dict[str, Capabilities] = {
    "gradient_dpo": Capabilities(
        paper="Chen et al. 2026, arXiv 2602.02495 (RACO)",
        kind="offline",
        data="pairs",
        serves="point",
        distributed="zero",
        launches=TRAINING_LAUNCHES,
        distributed_note=(
            "exact at every ZeRO stage, in two passes; at stage 3 each rank holds the whole base "
            "in the first"
        ),
        needs=("gradients",),
    ),
}
"""YAML tag to capabilities."""
