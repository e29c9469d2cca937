"""What the methods with heads, control tokens or prompt weights need and can do."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities

HEADS: dict[str, Capabilities] = {
    "mah_dpo": Capabilities(
        paper="Shen et al. 2025, arXiv 2510.01167",
        kind="conditioned",
        data="pairs",
        serves="continuum",
        distributed="single",
        launches=("weighted",),
    ),
}
"""YAML tag to capabilities."""
