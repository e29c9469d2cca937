"""What the methods whose one artifact serves many preferences need and can do."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities

_SAMPLES_ALONE = "it samples the policy in training, on one rank"


def _conditioned(paper: str, data: str, note: str) -> Capabilities:
    return Capabilities(
        paper=paper,
        kind="conditioned",
        data=data,
        serves="continuum",
        distributed="single",
        launches=("weighted",),
        distributed_note=note,
    )


CONDITIONED: dict[str, Capabilities] = {
    "dpa": _conditioned("Wang et al. 2024, arXiv 2402.18571", "scored", _SAMPLES_ALONE),
    "mah_dpo": _conditioned(
        "Shen et al. 2025, arXiv 2510.01167",
        "pairs",
        "its hook on the output layer has been tried on one rank only",
    ),
    "meet": _conditioned(
        "Xue et al. 2023, arXiv 2310.00819",
        "scored",
        "gradients are dropped between passes, as DeepSpeed would not allow",
    ),
    "ric": _conditioned("Yang et al. 2024, arXiv 2402.10207", "scored", _SAMPLES_ALONE),
}
"""YAML tag to capabilities."""
