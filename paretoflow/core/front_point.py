"""One point of a front, as commands, reports and exports show it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
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
        evaluation: What it scored, and where its adapter lies.
        kind: What its launch did; `base` for the base model.
        weights: What it was trained towards; where its adapter serves many preferences, the one it
            was asked for. None for the base model.
        cost: Of its whole run.
        doubt: Probability that one other point of the front is truly better or equal in every
            objective, as far as the eval prompts tell; `rival` is the one that threatens it most.
    """

    evaluation: Evaluation
    kind: str
    weights: tuple[float, ...] | None
    proposal: Proposal | None
    cost: Cost
    doubt: float = 0.0
    rival: str = ""

    @property
    def snapshot_id(self) -> str:
        """Return the name of its checkpoint, as in stored tables and JSON."""
        return self.evaluation.snapshot_id

    @property
    def run_id(self) -> str:
        """Return the run that it comes from; `base` for the base model."""
        return self.evaluation.run_id

    @property
    def step(self) -> int:
        """Return the optimiser steps after which it was saved."""
        return self.evaluation.step

    @property
    def scores(self) -> tuple[float, ...]:
        """Return the raw means over the eval prompts, length m."""
        return tuple(self.evaluation.scores.tolist())

    @property
    def stderr(self) -> tuple[float, ...]:
        """Return the standard error of each mean, length m."""
        return tuple(self.evaluation.stderr.tolist())

    @property
    def n(self) -> int:
        """Return the number of eval prompts."""
        return self.evaluation.n

    @property
    def path(self) -> str:
        """Return the adapter's folder relative to the sweep's root; empty for the base model.

        Points that differ by their condition share it.
        """
        return self.evaluation.path

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the adapter's folder."""
        return self.evaluation.digest

    @property
    def diagnostics(self) -> Mapping[str, float]:
        """Return the always-on extras: `kl`, `length_tokens`, `ranking_accuracy` and others."""
        return self.evaluation.diagnostics

    @property
    def condition(self) -> Mapping[str, Any] | None:
        """Return how to ask the adapter for this preference; None where it serves one."""
        return self.evaluation.condition

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
