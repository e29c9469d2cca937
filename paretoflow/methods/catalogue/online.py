"""What the methods that sample from the policy in training need and can do."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities
from paretoflow.methods.catalogue.launches import TRAINING_LAUNCHES

_OWN_SAMPLES = "each rank samples for itself: another number of ranks is another draw"


def _online(paper: str, distributed: str = "zero", note: str = _OWN_SAMPLES) -> Capabilities:
    return Capabilities(
        paper=paper,
        kind="online",
        data="prompts",
        serves="point",
        distributed=distributed,
        launches=TRAINING_LAUNCHES,
        distributed_note=note,
    )


ONLINE: dict[str, Capabilities] = {
    "grao": _online("Wang et al. 2025, arXiv 2508.07750"),
    "grpo": _online("Shao et al. 2024, arXiv 2402.03300"),
    "ipo_md": _online(
        "Calandriello et al. 2024, arXiv 2403.08635",
        "ddp",
        "each rank samples for itself, to its own length",
    ),
    "rloo": _online("Ahmadian et al. 2024, arXiv 2402.14740"),
}
"""YAML tag to capabilities."""
