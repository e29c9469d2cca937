"""What the methods that learn from the base's scored answers need and can do."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities
from paretoflow.methods.catalogue.launches import TRAINING_LAUNCHES


def _offline(paper: str, data: str = "pairs", distributed_note: str = "") -> Capabilities:
    return Capabilities(
        paper=paper,
        kind="offline",
        data=data,
        serves="point",
        distributed="zero",
        launches=TRAINING_LAUNCHES,
        distributed_note=distributed_note,
    )


OFFLINE: dict[str, Capabilities] = {
    "bco": _offline(
        "Jung et al. 2024, arXiv 2404.04656",
        "scored",
        "the reward shift is the mean over all ranks",
    ),
    "dpo": _offline("Rafailov et al. 2023, arXiv 2305.18290"),
    "f_dpo": _offline("Wang et al. 2023, arXiv 2309.16240"),
    "ipo": _offline("Azar et al. 2023, arXiv 2310.12036"),
    "lipo": _offline("Liu et al. 2024, arXiv 2402.01878", "lists"),
    "ln_dpo": _offline("Ahrabian et al. 2024, arXiv 2407.15229"),
    "mm_dpo": _offline("Zhang et al. 2025, arXiv 2502.10391"),
    "modpo": _offline("Zhou et al. 2023, arXiv 2310.03708"),
    "pro": _offline("Liu et al. 2025, arXiv 2511.10656"),
    "rpo": _offline("Liu et al. 2024, arXiv 2405.16436"),
}
"""YAML tag to capabilities."""
