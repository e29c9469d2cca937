"""What the methods that read a preference in the prompt need and can do."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities

_ONE_RANK = "it samples the policy in training, on one rank"

CONDITIONED: dict[str, Capabilities] = {
    "dpa": Capabilities(
        paper="Wang et al. 2024, arXiv 2402.18571",
        kind="conditioned",
        data="scored",
        serves="continuum",
        distributed="single",
        launches=("weighted",),
        distributed_note=_ONE_RANK,
    ),
    "ric": Capabilities(
        paper="Yang et al. 2024, arXiv 2402.10207",
        kind="conditioned",
        data="scored",
        serves="continuum",
        distributed="single",
        launches=("weighted",),
        distributed_note=_ONE_RANK,
    ),
}
"""YAML tag to capabilities."""
