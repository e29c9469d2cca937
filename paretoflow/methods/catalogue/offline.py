"""What the methods that learn from the base's scored answers need and can do."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities
from paretoflow.methods.catalogue.launches import TRAINING_LAUNCHES

OFFLINE: dict[str, Capabilities] = {
    "dpo": Capabilities(
        paper="Rafailov et al. 2023, arXiv 2305.18290",
        kind="offline",
        data="pairs",
        serves="point",
        distributed="zero",
        launches=TRAINING_LAUNCHES,
    ),
    "modpo": Capabilities(
        paper="Zhou et al. 2023, arXiv 2310.03708",
        kind="offline",
        data="pairs",
        serves="point",
        distributed="zero",
        launches=TRAINING_LAUNCHES,
    ),
}
"""YAML tag to capabilities."""
