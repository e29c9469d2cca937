"""One point of a front, as commands, reports and exports show it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paretoflow.core.cost import Cost
from paretoflow.core.merge import Merge
from paretoflow.core.settings import Settings
from paretoflow.core.values import Proposal

DOUBTFUL = 0.25
"""Probability of being beaten by another point of the front from which on a point is doubtful."""

_NUMBER_OF_CONDITION = re.compile(r"-c\d+$")


@dataclass(frozen=True)
class FrontPoint:
    """One non-dominated evaluation with its provenance; scores are raw.

    Args:
        weights: What it was trained towards; where its adapter serves many preferences, the one it
            was asked for. None for the base model.
        path: Adapter folder relative to the sweep's root; empty for the base model. Points that
            differ by their condition share it.
        digest: SHA-256 of the adapter folder.
        diagnostics: Always-on extras: `kl`, `length_tokens`, `ranking_accuracy`, …
        condition: How to ask the adapter for this preference; None where it serves one.
        doubt: Probability that one other point of the front is truly better or equal in every
            objective, as far as the eval prompts tell; `rival` is the one that threatens it most.
    """

    snapshot_id: str
    run_id: str
    kind: str
    weights: tuple[float, ...] | None
    scores: tuple[float, ...]
    stderr: tuple[float, ...]
    n: int
    step: int
    path: str
    digest: str
    proposal: Proposal | None
    cost: Cost
    diagnostics: dict[str, float]
    condition: Mapping[str, Any] | None = None
    doubt: float = 0.0
    rival: str = ""

    @property
    def checkpoint_id(self) -> str:
        """Return the name of its checkpoint; `snapshot_id` in stored tables and JSON."""
        return self.snapshot_id

    @property
    def doubtful(self) -> bool:
        """Return whether the doubt is worth telling."""
        return self.doubt >= DOUBTFUL

    @property
    def adapter_name(self) -> str:
        """Return the name of its adapter in an export; points of one adapter share it."""
        return _NUMBER_OF_CONDITION.sub("", self.snapshot_id)

    @property
    def settings(self) -> Settings:
        """Return what its launch set beside the weights; empty for none."""
        return self.proposal.settings if self.proposal else ()

    @property
    def merge(self) -> Merge | None:
        """Return what it was mixed from, and how; None where it was trained."""
        return self.proposal.merge if self.proposal else None
