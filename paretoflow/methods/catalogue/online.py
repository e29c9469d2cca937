"""What the methods that sample from the policy in training need and can do."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities
from paretoflow.methods.catalogue.launches import TRAINING_LAUNCHES

ONLINE: dict[str, Capabilities] = {
    "grao": Capabilities(
        paper="Wang et al. 2025, arXiv 2508.07750",
        kind="online",
        data="prompts",
        serves="point",
        distributed="zero",
        launches=TRAINING_LAUNCHES,
        distributed_note="each rank samples for itself: another number of ranks is another draw",
    ),
    "grpo": Capabilities(
        paper="Shao et al. 2024, arXiv 2402.03300",
        kind="online",
        data="prompts",
        serves="point",
        distributed="zero",
        launches=TRAINING_LAUNCHES,
        distributed_note="each rank samples for itself: another number of ranks is another draw",
    ),
    "ipo_md": Capabilities(
        paper="Calandriello et al. 2024, arXiv 2403.08635",
        kind="online",
        data="prompts",
        serves="point",
        distributed="ddp",
        launches=TRAINING_LAUNCHES,
        distributed_note="each rank samples for itself, to its own length",
    ),
    "rloo": Capabilities(
        paper="Ahmadian et al. 2024, arXiv 2402.14740",
        kind="online",
        data="prompts",
        serves="point",
        distributed="zero",
        launches=TRAINING_LAUNCHES,
        distributed_note="each rank samples for itself: another number of ranks is another draw",
    ),
}
"""YAML tag to capabilities."""
