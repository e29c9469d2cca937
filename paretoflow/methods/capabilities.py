"""What each method needs, serves and can do; read by `plugins` and `check`, so torch stays away."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities

_TRAINING_LAUNCHES = ("weighted", "constrained")

CAPABILITIES: dict[str, Capabilities] = {
    "dpo": Capabilities(
        paper="Rafailov et al. 2023, arXiv 2305.18290",
        kind="offline",
        data="pairs",
        serves="point",
        distributed="single",
        launches=_TRAINING_LAUNCHES,
    ),
    "grpo": Capabilities(
        paper="Shao et al. 2024, arXiv 2402.03300",
        kind="online",
        data="prompts",
        serves="point",
        distributed="single",
        launches=_TRAINING_LAUNCHES,
    ),
    "modpo": Capabilities(
        paper="Zhou et al. 2023, arXiv 2310.03708",
        kind="offline",
        data="pairs",
        serves="point",
        distributed="single",
        launches=_TRAINING_LAUNCHES,
    ),
}
"""YAML tag to capabilities."""
